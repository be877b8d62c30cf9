"""What the page of a stream or of a consumer shows beside its form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.urls import reverse

from streams.admin import shown
from streams.models import Advisory, Backup, BrokerAct, Stream, StreamConsumer

# Of what happened, so much is on the page; the rest is a link away.
LATEST = 20


def panels(row: Stream | StreamConsumer) -> dict[str, Any]:
    stream = row if isinstance(row, Stream) else row.stream
    kind = "stream" if isinstance(row, Stream) else "consumer"
    advisories = Advisory.objects.filter(stream=stream.name).defer("data")
    if isinstance(row, StreamConsumer):
        advisories = advisories.filter(consumer=row.name)
    return {
        "sides": sides(row),
        "trail": list(
            BrokerAct.objects.filter(kind=kind, name=str(row)).defer("before", "after")[:LATEST]
        ),
        "advisories": list(advisories[:LATEST]),
        "backups": list(Backup.objects.filter(stream=stream.name).defer("config")[:LATEST])
        if isinstance(row, Stream)
        else [],
        "all_acts": f"{reverse('admin:streams_brokeract_changelist')}?q={stream.name}",
    }


def sides(row: Stream | StreamConsumer) -> list[dict[str, Any]]:
    """Return each field of which two sides differ, or that NATS has beyond what is declared."""
    declared, applied, live = (
        _object(row.config), _object(row.applied), _object(row.live),
    )  # fmt: skip
    rows = []
    for name in sorted({*declared, *applied, *live}):
        texts = [_text(name, side) for side in (declared, applied, live)]
        rows.append(
            {
                "field": name,
                "declared": texts[0],
                "applied": texts[1],
                "live": texts[2],
                "differs": name in row.drift,
            }
        )
    return sorted(rows, key=lambda one: (not one["differs"], one["field"]))


def _text(name: str, side: Mapping[str, Any]) -> str:
    return shown.value(name, side[name]) if name in side else shown.NOTHING


def _object(config: Any) -> Mapping[str, Any]:
    return config if isinstance(config, dict) else {}
