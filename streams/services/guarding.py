"""Whether an operator may do that to a stream or consumer: its policy and the typed name."""

from __future__ import annotations

from collections.abc import Collection

from django.utils.translation import gettext as _

from streams.core.errors import Guarded, Unconfirmed
from streams.core.names import check_name
from streams.models import Policy, Stream, StreamConsumer

# To take away what cannot be had back, and to change what can.
TO_DESTROY = frozenset({Policy.MANAGE})
TO_CHANGE = frozenset({Policy.MANAGE, Policy.PROTECT})


def confirm(name: str, typed_name: str) -> None:
    """
    Raises:
        Unconfirmed: It was typed otherwise.
    """
    if typed_name != name:
        raise Unconfirmed(name)


def stream_for(name: str, allowed: Collection[str]) -> Stream:
    """
    Return the row of a stream that this may be done to.

    Raises:
        BadDefinition: It is no name.
        Guarded: It is not declared, or its policy is none of those.
    """
    check_name(name)
    row = Stream.objects.filter(name=name).first()
    if row is None:
        raise _undeclared(name)
    _check(name, row.policy, allowed)
    return row


def consumer_for(stream: str, name: str, allowed: Collection[str]) -> StreamConsumer:
    """
    Return the row of a consumer that this may be done to; its stream's policy counts too.

    Raises:
        BadDefinition, Guarded: See `stream_for`.
    """
    check_name(name, "consumer")
    stream_for(stream, allowed)
    full_name = f"{stream}/{name}"
    row = StreamConsumer.objects.filter(stream__name=stream, name=name).first()
    if row is None:
        raise _undeclared(full_name)
    _check(full_name, row.policy, allowed)
    return row


def _undeclared(name: str) -> Guarded:
    return Guarded(
        _("%(name)s is not declared here: import or declare it, with the policy “manage”, first")
        % {"name": name}
    )


def _check(name: str, policy: str, allowed: Collection[str]) -> None:
    if policy not in allowed:
        raise Guarded(
            _("the policy of %(name)s is “%(policy)s”, which does not allow this")
            % {"name": name, "policy": policy}
        )
