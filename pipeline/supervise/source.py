"""One source: what it subscribes to, over how many links, and where it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pipeline.core.addresses import completed
from pipeline.core.errors import BadOption, ReceiveError
from pipeline.core.spec import SourceSpec
from pipeline.core.status import SourceStatus, State
from pipeline.core.venues import venue_of
from pipeline.core.venues.venue import Channel
from pipeline.supervise.errands import Errands
from pipeline.supervise.line import Line
from pipeline.supervise.link import Link
from pipeline.supervise.means import Means
from pipeline.supervise.plan import Plan
from pipeline.supervise.slot import Slot
from pipeline.supervise.standing import Standing

TICK_S = 1.0
MAX_ERROR = 200


class Source:
    """
    Attributes:
        spec: As it was declared.
        proven: See `pipeline.supervise.slot.Owner`.
        stages, began_ns: See `Stages`, `SourceStatus`.
    """

    def __init__(self, spec: SourceSpec, means: Means, before: Source | None = None) -> None:
        """
        Args:
            before: The same source with other settings, which has ended.

        Raises:
            BadOption: It cannot be as it is declared.
        """
        self.spec = spec
        self.proven = False
        self._means = means
        self._full = completed(spec, venue_of(spec.venue))
        self.stages = means.stages(self._full, means.publisher_of(spec), means.clock_ns)
        self.stages.on_want = self._stir
        if spec.linger_ms and means.gather is not None:
            self.stages.on_frame = means.gather.frame
        if before is not None:
            self.stages.count_on_from(before.stages)
        self._plan = Plan(self._full, self.stages.venue, means, self._stir)
        self._errands = Errands(self._full, self.stages, means)
        self._slots: list[Slot] = []
        self._retired: list[Link] = []
        # What the normaliser knows of, and what of it links should bring now.
        self._known: dict[str, Channel] = {}
        self._carried: dict[str, Channel] = {}
        self._news = asyncio.Event()
        self._tick_s = 0.0
        self._standing = Standing(spec.source_id, means)
        self.began_ns: int = before.began_ns if before is not None else self._standing.since_ns

    async def run(self) -> None:
        """Hold the links, again and again. Returns only when the source refuses us."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                now_s = loop.time()
                due_s = self._step(now_s)
                await self._until_news(due_s - now_s)
        except (ReceiveError, BadOption) as e:
            if not e.permanent:
                raise
            self._standing.refuse(e)
        finally:
            await self._close()

    def change(self, spec: SourceSpec) -> None:
        """Subscribe to what this one names instead; the links stay."""
        self.spec = spec
        self._full = completed(spec, venue_of(spec.venue))
        self._plan.change(self._full)
        self._stir()

    def end(self) -> None:
        """Say so; its task has ended."""
        self._standing.enter(State.STOPPED)

    def status(self) -> SourceStatus:
        self._standing.look({slot.state for slot in self._slots})
        stages, counts = self.stages, self.stages.normaliser.counts
        return SourceStatus(
            source_id=self.spec.source_id,
            began_ns=self.began_ns,
            state=self._standing.state,
            since_ns=self._standing.since_ns,
            last_error=self._complaint()[:MAX_ERROR],
            received=stages.received,
            published=stages.published,
            ignored=stages.ignored.total(),
            undecodable=stages.undecodable.total(),
            last_message_ns=stages.last_message_ns,
            by_type=dict(stages.normaliser.published),
            problems=dict(stages.undecodable),
            channels=len(self._taken()),
            links=sum(1 for line in self._lines() if line.opened),
            repeated=counts.repeated,
            unasked=counts.unasked,
            gaps=counts.gaps,
            resyncs=counts.resyncs,
            stale=counts.stale,
            disconnects=counts.disconnects,
            backfilled=counts.backfilled,
            bad_checksums=counts.bad_checksums,
        )

    # What the slots ask for; see `pipeline.supervise.slot.Owner`.

    def open(self, slot: Slot, *, holds: bool) -> Link:
        line = self._plan.line(slot, self.stages, self._carry, holds=holds)
        return Link(line, self._hold, self._stir)

    def lost(self, slot: Slot, link: Link, error: ReceiveError) -> None:
        self._standing.last_error = str(error)
        told = link.line.talk.subscriptions
        # A link that never brought anything has nothing to end.
        self._silence(told.taken.values() if link.line.heard else (), str(error))
        for channel in told.spoken_for:
            self._carried.pop(channel.name, None)
        for other in slot.links:
            self._carry(other.line.talk.subscriptions.spoken_for)

    def retire(self, link: Link) -> None:
        link.task.cancel()
        self._retired.append(link)

    def _step(self, now_s: float) -> float:
        if self._plan.changed:
            self._arrange()
        lines = self._lines()
        self._take_refusals(lines)
        self.proven = self.proven or any(line.spoke for line in lines)
        self._bury()
        due_s = min([slot.step(now_s) for slot in self._slots], default=now_s + TICK_S)
        if now_s >= self._tick_s:
            self._tick_s = now_s + TICK_S
            self.stages.tell(self.stages.normaliser.look(self._now_ns()), self._now_ns())
            self._plan.refresh(now_s)
        self._standing.look({slot.state for slot in self._slots})
        self._standing.announce(degraded=any(slot.degraded for slot in self._slots))
        errand_s = self._errands.run(now_s, self._slots)
        return min(due_s, self._tick_s, errand_s)

    async def _hold(self, line: Line) -> None:
        means = self._means
        # A full publisher would only make the new link wait: wait first.
        await self.stages.room()
        await means.gate(self._full.endpoint, self.stages.venue.limits).turn()
        await means.kinds[self.spec.protocol](self._full, line, means.ssl)

    def _arrange(self) -> None:
        """Spread what is wanted over the links; those that carry nothing any more end."""
        self._slots, idle = self._plan.arranged(self._slots, self)
        for slot in idle:
            slot.end()
        wanted = {c.name for slot in self._slots for c in (*slot.named, *slot.channels)}
        gone = [c for name, c in self._known.items() if name not in wanted]
        self._leave(gone, "no longer subscribed to")
        self._forget(gone)

    def _carry(self, channels: Iterable[Channel]) -> None:
        fresh = {c.name: c for c in channels if c.name not in self._carried}
        self._carried |= fresh
        self._known |= fresh
        if fresh:
            self.stages.normaliser.subscribed(fresh.values(), self._now_ns())

    def _forget(self, channels: Iterable[Channel]) -> None:
        gone = [c for c in channels if self._known.pop(c.name, None) is not None]
        for channel in gone:
            self._carried.pop(channel.name, None)
        if gone:
            self.stages.normaliser.unsubscribed(gone)

    def _take_refusals(self, lines: list[Line]) -> None:
        taken = self._taken()
        for line in lines:
            denied = line.talk.subscriptions.denied
            self._forget([c for c in denied if c.name not in taken])
            denied.clear()

    def _leave(self, channels: Iterable[Channel], reason: str) -> None:
        """Publish all there is of these channels, and then that nothing comes any more."""
        channels = list(channels)
        self.stages.tell(self.stages.normaliser.let_go(channels), self._now_ns())
        self._silence(channels, reason)

    def _silence(self, channels: Iterable[Channel], reason: str) -> None:
        """Publish that these channels say nothing any more."""
        silent = [self._carried.pop(c.name) for c in channels if c.name in self._carried]
        if silent:
            now_ns = self._now_ns()
            told = self.stages.normaliser.disconnected(silent, reason[:MAX_ERROR], now_ns)
            self.stages.tell(told, now_ns)

    def _bury(self) -> None:
        for link in [link for link in self._retired if link.task.done()]:
            self._retired.remove(link)
            if not link.task.cancelled():
                link.error()  # A bug propagates; all else was to be.

    async def _close(self) -> None:
        for slot in self._slots:
            slot.end()
        self._errands.forget()
        self._plan.forget()
        try:
            if tasks := [link.task for link in self._retired]:
                await asyncio.wait(tasks)
        finally:
            # Not before: until its task has ended a link may bring something, and then a subject
            # that is silent for ever would not end with a DISCONNECT.
            self._leave(self._known.values(), "the source was stopped")
            self._slots = []
        self._bury()

    def _complaint(self) -> str:
        """
        Return the last error; before it, subscriptions that the venue does not take; behind it,
        what cannot be had over REST.
        """
        said = [self._standing.last_error] if self._standing.last_error else []
        refused: dict[str, str] = {}
        for line in self._lines():
            refused |= line.talk.subscriptions.refused
            said = [line.talk.complaint] if line.talk.complaint else said
        if refused:
            name, why = next(iter(refused.items()))
            said.insert(0, f"{len(refused)} subscriptions refused, such as {name}: {why}")
        elif not said and not self._slots:
            said = [self._plan.complaint]
        if self._errands.trouble:
            said.append(self._errands.trouble)
        return "; ".join(said)

    def _taken(self) -> set[str]:
        return {name for line in self._lines() for name in line.talk.subscriptions.taken}

    def _lines(self) -> list[Line]:
        return [link.line for slot in self._slots for link in slot.links]

    def _now_ns(self) -> int:
        return self._means.clock_ns()

    def _stir(self) -> None:
        self._news.set()

    async def _until_news(self, at_most_s: float) -> None:
        if at_most_s <= 0:
            await asyncio.sleep(0)
        else:
            try:
                async with asyncio.timeout(at_most_s):
                    await self._news.wait()
            except TimeoutError:
                pass
        self._news.clear()
