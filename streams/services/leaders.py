"""Lets leaders hand over, for example before their server is stopped."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, quote

from django.conf import settings
from django.utils.translation import gettext as _

from streams.broker import system
from streams.broker.connect import split
from streams.core.errors import ApiRefused, Guarded
from streams.core.serverconf import SYSTEM_USER
from streams.services import audit, guarding, servers
from streams.services.linked import link

JsonObject = dict[str, Any]

NO_CLUSTER = 10010


def step_down(*, stream: str, actor: str) -> None:
    """
    Let a stream's leader hand over to another replica.

    Raises:
        Guarded: The stream's policy is "observe", or a single server keeps it.
        BrokerAway, ApiRefused: See `Link.api`.
    """
    guarding.stream_for(stream, guarding.TO_CHANGE)
    _hand_over(f"STREAM.INFO.{stream}", f"STREAM.LEADER.STEPDOWN.{stream}", "stream", stream, actor)


def step_down_consumer(*, stream: str, consumer: str, actor: str) -> None:
    """
    Let a consumer's leader hand over.

    Raises:
        As `step_down`.
    """
    guarding.consumer_for(stream, consumer, guarding.TO_CHANGE)
    name = f"{stream}.{consumer}"
    _hand_over(
        f"CONSUMER.INFO.{name}",
        f"CONSUMER.LEADER.STEPDOWN.{name}",
        "consumer",
        f"{stream}/{consumer}",
        actor,
    )


def step_down_meta(*, actor: str) -> None:
    """
    Let the leader of the cluster itself hand over.

    Raises:
        Guarded: A single server has no cluster.
        BrokerAway, ApiRefused: See `Link.api`; also where the system account lets us not in.
    """
    url = _system_url()
    if len(system.called(url, system.servers)) < 2:  # noqa: PLR2004  two have something to hand over
        raise Guarded(_("this is a single server: there is no cluster whose leader could change"))
    system.called(url, system.meta_leader_steps_down)
    audit.note(actor=actor, action="step_down", kind="cluster", name="meta")


def _hand_over(look: str, act: str, kind: str, name: str, actor: str) -> None:
    cluster = link().api(look).get("cluster") or {}
    alone = Guarded(
        _("a single server keeps %(name)s: there is nobody to hand over to") % {"name": name}
    )
    if not cluster.get("replicas"):
        raise alone
    try:
        link().api(act)
    except ApiRefused as e:
        if e.code == NO_CLUSTER:
            raise alone from e
        raise
    audit.note(
        actor=actor, action="step_down", kind=kind, name=name,
        before={"leader": cluster.get("leader", "")},
    )  # fmt: skip


def _system_url() -> str:
    """Return the URL that Django talks to NATS by, with the system user in place of its own."""
    login = f"{SYSTEM_USER}:{quote(servers.system_password(), safe='')}"
    return ",".join(_as(login, parts) for parts in split(settings.NATS_URL))


def _as(login: str, parts: SplitResult) -> str:
    return parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}").geturl()
