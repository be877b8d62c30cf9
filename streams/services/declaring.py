"""Records beside what NATS has: reads them for a plan, writes down how they compare."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from streams.core import advisory
from streams.core.errors import BadDefinition
from streams.core.plan import Declared, Item, item
from streams.models import Stream, StreamConsumer
from streams.services.live import Live, look

JsonObject = dict[str, Any]
Record = Stream | StreamConsumer
RecordT = TypeVar("RecordT", Stream, StreamConsumer)

# What a look writes, of both kinds; of streams the counts too.
LOOKED = ["live", "standing", "drift", "seen_at", "last_error"]
COUNTED = ["messages", "bytes", "first_seq", "last_seq", "consumer_count"]


@dataclass(frozen=True)
class Side:
    """Records and NATS, side by side. `declared` and `records` by the name of an item."""

    live: Live
    records: Mapping[str, Record]
    declared: tuple[Declared, ...]

    @property
    def undeclared(self) -> tuple[str, ...]:
        return tuple(sorted(self.live.streams.keys() - self.records.keys() - {advisory.STREAM}))

    def info(self, one: Item | Declared) -> JsonObject | None:
        """Return what JetStream says of it; None where it has none."""
        seen = self.live.streams if one.kind == "stream" else self.live.consumers
        return seen.get(one.name)


def side_by_side(*, names: Collection[str] | None = None) -> Side:
    """
    Return the records of these names (all where None), each with what NATS has of it.

    Args:
        names: Of streams (with their consumers) or consumers (`STREAM/consumer`).

    Raises:
        BadDefinition: A name that no record has.
        BrokerAway, ApiRefused: NATS cannot be asked.
    """
    streams = {row.name: row for row in Stream.objects.all()}
    rows = StreamConsumer.objects.select_related("stream")
    consumers = {str(row): row for row in rows}
    if names is not None:
        wanted = set(names)
        if strange := sorted(wanted - streams.keys() - consumers.keys()):
            raise BadDefinition("names", f"{', '.join(strange)}: not declared")
        parents = {name.partition("/")[0] for name in wanted}
        consumers = {
            name: row for name, row in consumers.items() if {name, row.stream.name} & wanted
        }
        known = {name: row for name, row in streams.items() if name in parents}
        streams = {name: row for name, row in known.items() if name in wanted}
        live = look(names=sorted(parents), with_consumers=_parents(consumers))
    else:
        live = look(names=None, with_consumers=_parents(consumers))
    records: dict[str, Record] = {**streams, **consumers}
    declared = [_stream(row, live) for row in streams.values()]
    declared += [_consumer(row, live, streams) for row in consumers.values()]
    return Side(live, records, tuple(sorted(declared, key=lambda one: one.name)))


def look_again(*, stream: str, now: datetime) -> None:
    """
    Write down how a stream and its consumers compare with NATS now, where they are declared.

    Raises:
        BrokerAway, ApiRefused: NATS cannot be asked. Nothing was written.
    """
    if not Stream.objects.filter(name=stream).exists():
        return
    side = side_by_side(names=[stream])
    for one in side.declared:
        row, info = side.records[one.name], side.info(one)
        looked(row, item(one, level=side.live.level), info, now)
        if info is not None:
            row.last_error = ""
    save_looks(side.records.values())


def looked(row: Record, it: Item, info: JsonObject | None, now: datetime) -> None:
    """Write into a record (unsaved) how it compares with what NATS has."""
    row.standing, row.drift = it.standing, list(it.drift)
    if info is None:
        row.live = None
        return
    row.live, row.seen_at = info["config"], now
    count(row, info)


def count(row: Record, info: JsonObject) -> None:
    """Write JetStream's counts into a stream's record (unsaved); a consumer's are `lag`'s."""
    if isinstance(row, Stream):
        state = info["state"]
        row.messages, row.bytes = state["messages"], state["bytes"]
        row.first_seq, row.last_seq = state["first_seq"], state["last_seq"]
        row.consumer_count = state["consumer_count"]


def written(row: Record) -> list[str]:
    """Return the columns that an apply writes; what an operator edits meanwhile is not touched."""
    return [*LOOKED, "applied", *(COUNTED if isinstance(row, Stream) else ())]


def save_looks(rows: Collection[Record]) -> None:
    """Write what `looked` wrote; what an operator edits meanwhile is not touched."""
    streams = [row for row in rows if isinstance(row, Stream)]
    consumers = [row for row in rows if isinstance(row, StreamConsumer)]
    Stream.objects.bulk_update(streams, [*LOOKED, *COUNTED], batch_size=200)
    StreamConsumer.objects.bulk_update(consumers, LOOKED, batch_size=200)


def _parents(consumers: Mapping[str, StreamConsumer]) -> list[str]:
    return sorted({row.stream.name for row in consumers.values()})


def _stream(row: Stream, live: Live) -> Declared:
    return Declared(
        kind="stream",
        name=row.name,
        policy=row.policy,
        config=row.given,
        has_shape=row.has_shape,
        applied=row.applied,
        live=live.streams.get(row.name),
        reached=row.name not in live.unreached,
    )


def _consumer(row: StreamConsumer, live: Live, streams: Mapping[str, Stream]) -> Declared:
    name, parent = str(row), row.stream.name
    info = live.streams.get(parent)
    if info is None and parent in streams and row.stream.policy != "observe":
        # It is created before its consumers are.
        info = {"config": row.stream.given}
    return Declared(
        kind="consumer",
        name=name,
        policy=row.policy,
        config=row.given,
        has_shape=row.has_shape,
        applied=row.applied,
        live=live.consumers.get(name),
        stream=info,
        reached=not {name, parent} & live.unreached,
    )
