"""Whether NATS, the pipeline and its sources are as they should be; and what should be heard."""

from __future__ import annotations

import logging
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from google.protobuf.message import DecodeError

from pipeline.core.errors import BadOption
from pipeline.core.expected import Expected, expected
from pipeline.core.spec import SourceSpec
from pipeline.core.tally import said
from pipeline.models import DataSource
from pipeline.services.collection import is_alive, is_unreported
from pipeline.services.installed import Check, Grade
from pipeline.services.orders import specs
from streams import services as streams
from streams.core.errors import ApiRefused, BrokerError
from streams.core.subjects import covers, overlap
from streams.core.templates import Templates
from streams.services import templates

# Of very many silent subjects the first ones tell enough.
MOST_ASKED = 200

logger = logging.getLogger(__name__)


class Declared(msgspec.Struct, frozen=True):
    """
    What should be heard.

    Attributes:
        sources: The names of those that should bring it.
    """

    templates: Templates
    sources: dict[Expected, list[str]]


def declared() -> Declared:
    """
    Return what the enabled sources should bring.

    Raises:
        BadDefinition: The subject templates cannot be.
    """
    found: dict[Expected, list[str]] = {}
    for spec in specs():
        for one in _expected(spec):
            found.setdefault(one, []).append(spec.source_id)
    return Declared(templates.active(), dict(sorted(found.items())))


def nats(*, wanted: Declared) -> list[Check]:
    """Look at the server, at JetStream, and at whether streams store what should come."""
    ready, health = streams.health()
    monitor = Check("nats monitor", Grade.GOOD if ready else Grade.BAD, str(health["nats"]))
    try:
        account = streams.link().api("INFO")
        live = streams.live_streams()
    except BrokerError as e:
        return [monitor, Check("nats", Grade.BAD, str(e))]
    told = ngettext("JetStream has %d stream", "JetStream has %d streams", len(live)) % len(live)
    if domain := account.get("domain"):
        told = f"{told} ({domain})"
    stored = [subject for one in live for subject in one["config"].get("subjects") or ()]
    patterns = {wanted.templates.patterns[one.data_type] for one in wanted.sources}
    bare = sorted(p for p in patterns if not any(overlap(subject, p) for subject in stored))
    storing = Check(
        "streams",
        Grade.BAD if bare else Grade.GOOD,
        _("no stream in NATS stores %s") % ", ".join(bare)
        if bare
        else _("what the sources bring is stored"),
    )
    return [monitor, Check("nats", Grade.GOOD, told), storing]


def last_words(*, subjects: Sequence[str]) -> dict[str, str]:
    """
    Return what the newest stored message of each subject says, where it is a control message: a
    link that was lost before we listened is not told again.
    """
    found: dict[str, str] = {}
    try:
        live = streams.live_streams()
        for subject in subjects[:MOST_ASKED]:
            at, payload = _newest(live, subject) or ("", b"")
            if words := _said(payload):
                found[subject] = f"{words} ({at})"
    except BrokerError as e:
        logger.warning("last messages cannot be looked up: %s", e)
    return found


def collector(*, now: datetime) -> list[Check]:
    """Look at the pipeline and at each enabled source."""
    sources = list(DataSource.objects.filter(enabled=True))
    if not sources:
        return [Check("collector", Grade.BAD, _("no source is enabled"))]
    alive = is_alive(now=now)
    told = ngettext("%d source is enabled", "%d sources are enabled", len(sources)) % len(sources)
    if not alive:
        told = _("%s, and no pipeline reports on them: is run_pipeline running?") % told
    whole = Check("collector", Grade.GOOD if alive else Grade.BAD, told)
    return [whole, *(_of_source(source, now) for source in sources)]


def _of_source(source: DataSource, now: datetime) -> Check:
    state = DataSource.State(source.state)
    grade = {
        DataSource.State.RUNNING: Grade.GOOD,
        DataSource.State.CONNECTING: Grade.POOR,
        DataSource.State.RECONNECTING: Grade.POOR,
    }.get(state, Grade.BAD)
    told = str(state.label)
    if is_unreported(source=source, now=now):
        grade, told = Grade.BAD, _("%s when last reported") % told
    if source.last_error:
        between = "; " + _("last error") if grade is Grade.GOOD else ""
        told = f"{told}{between}: {source.last_error}"
    return Check(f"source {source.name}", grade, told)


def _expected(spec: SourceSpec) -> Iterable[Expected]:
    try:
        return expected(spec)
    except BadOption:
        return ()  # It cannot run; its row says why, and so does its check.


def _newest(live: Iterable[Mapping[str, Any]], subject: str) -> tuple[str, bytes] | None:
    """Return when the newest message of a subject was stored, and its payload."""
    for stream in live:
        if any(covers(own, subject) for own in stream["config"].get("subjects") or ()):
            name = stream["config"]["name"]
            try:
                answer = streams.link().api(f"STREAM.MSG.GET.{name}", {"last_by_subj": subject})
            except ApiRefused:
                return None  # It holds none.
            message = answer["message"]
            at = str(message.get("time", ""))[:19].replace("T", " ")
            return f"{at} UTC", b64decode(message.get("data", ""))
    return None


def _said(payload: bytes) -> str:
    try:
        return said(payload)
    except DecodeError:
        return ""  # Others may publish there as well.
