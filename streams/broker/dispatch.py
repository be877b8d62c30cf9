"""
Who sends which record: each stream has a lane, each unknown subject a learner. No socket, no clock.

The caller writes what `work` returns, in order, and hands every answer to `answered`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from streams.broker import answers
from streams.broker.answers import Refusal
from streams.broker.lanes import FLUSH, Lane
from streams.broker.learning import Learner
from streams.broker.ledger import Ledger
from streams.broker.ones import Terms
from streams.broker.records import NEVER_S, Route, Sender
from streams.broker.routes import Routes
from streams.broker.wire import BARE_TAIL, FULL_TAIL, HEADER_BYTES
from streams.core.errors import BadSubject, TooLarge

# How late it may be noticed that an answer does not come.
TICK_S = 0.05


class Dispatch:
    """
    Attributes:
        news: Senders to be looked at. `on_news` is called when there is one more.
        max_payload: What the server takes, headers included.
    """

    def __init__(  # noqa: PLR0913
        self,
        ledger: Ledger,
        *,
        inbox: str,
        mark: str,
        window: int,
        ack_s: float,
        dice: Callable[[], float],
        on_news: Callable[[float], None],
    ) -> None:
        """
        Args:
            inbox: The prefix of all reply subjects, with its last dot.
            mark: One that no other publisher has: a server knows a batch by its key alone.
            on_news: Called with when there will be something to do.
        """
        self._ledger = ledger
        self._inbox_chars = len(inbox)
        self._on_news = on_news
        self.max_payload = 0
        self.news: dict[Sender, None] = {}
        self._terms = Terms(
            ledger=ledger,
            inbox=inbox.encode(),
            keys=_keys(mark),
            window=window,
            ack_s=ack_s,
            dice=dice,
            awaiting={},
            stir=self._stir,
        )
        self._routes = Routes(keep=Learner)
        self._lanes: dict[str, Lane] = {}
        self._tick_s = 0.0

    def submit(self, subject: str, payload: bytes, msg_id: str, linger_s: float = 0.0) -> bool:
        """
        Take one record; return whether there is room for more.

        Args:
            linger_s: See `Publisher.lingering`.

        Raises:
            BadSubject, TooLarge: See `Publisher.submit`.
        """
        route = self._routes.young.get(subject)
        if route is None:
            route = self._routes.get(subject)
        if not msg_id.isprintable():
            raise BadSubject(f"{msg_id!r} cannot be a message id")
        ident = msg_id.encode()
        header = len(ident) + HEADER_BYTES if ident else 0
        size = header + len(payload)
        if size > self.max_payload:
            raise TooLarge(subject, size, self.max_payload)
        sender = route.sender
        if sender is None:
            sender = self._learner(route)
        if ident:
            sender.ways.append(route.full)
            tail = FULL_TAIL % (header, size, ident, payload)
        else:
            sender.ways.append(route.bare)
            tail = BARE_TAIL % (size, payload)
        tails = sender.tails
        tails.append(tail)
        waiting = len(tails)
        if waiting == 1 or linger_s < sender.linger_s:
            sender.linger_s = linger_s
            self._stir(sender)
        elif waiting == FLUSH:
            self._stir(sender)
        return self._ledger.took(len(tail))

    def work(self, now_s: float) -> list[bytes]:
        """Return what is to be written now."""
        senders, self.news = self.news, {}
        if now_s >= self._tick_s:
            self._tick_s = now_s + TICK_S
            senders.update(dict.fromkeys(self._terms.awaiting.values()))
        else:
            senders.update((lane, None) for lane in self._lanes.values() if lane.due_s <= now_s)
        return [blob for blob in [sender.work(now_s) for sender in senders] if blob]

    @property
    def due_s(self) -> float:
        """When `work` should be called although nothing happened."""
        due_s = min([lane.due_s for lane in self._lanes.values()], default=NEVER_S)
        return min(due_s, self._tick_s)

    def answered(self, subject: str, data: bytes, status: str | None, now_s: float) -> None:
        tokens = subject[self._inbox_chars :].split(".")
        sender = self._terms.awaiting.get(tokens[0])
        if sender is not None:
            sender.answered(tokens, answers.read(data, status), now_s)

    def on_new_link(self, max_payload: int) -> None:
        senders = {*self._terms.awaiting.values()}
        for sender in senders:
            sender.on_new_link()
        if max_payload < self.max_payload:
            for sender in senders:
                self._drop_larger(sender, max_payload)
        self.max_payload = max_payload
        self._tick_s = 0.0

    def _drop_larger(self, sender: Sender, longest: int) -> None:
        """Give up what the server takes no longer: it would end every link over it."""
        refusal = Refusal(description=f"the server takes {longest} bytes now")
        waiting = sender.drop_waiting(longest)
        self._ledger.wrote(len(waiting))
        for record in sender.drop_written(longest) + waiting:
            self._ledger.reject(record, refusal)

    def _learner(self, route: Route) -> Learner:
        route.sender = learner = Learner(route, self._terms, self._learned)
        return learner

    def _learned(self, learner: Learner, stream: str | None) -> None:
        del self._terms.awaiting[learner.key]
        if stream is None:
            learner.route.sender = None
            return
        lane = self._lanes.get(stream)
        if lane is None:
            lane = self._lanes[stream] = Lane(stream, self._terms, self._scatter)
        learner.route.sender = lane
        for way, tail in learner.take_waiting():
            lane.ways.append(way)
            lane.tails.append(tail)
        self._stir(lane)

    def _scatter(self, lane: Lane) -> None:
        """Have every subject of a lane find its stream anew."""
        for route in list(self._routes.of(lane)):
            route.sender = None
        written, waiting = lane.take_all()
        for record in written:
            self._learner_of(record[0].route).keep(record)
        for way, tail in waiting:
            learner = self._learner_of(way.route)
            learner.ways.append(way)
            learner.tails.append(tail)

    def _learner_of(self, route: Route) -> Learner:
        learner = route.sender if isinstance(route.sender, Learner) else self._learner(route)
        self._stir(learner)
        return learner

    def _stir(self, sender: Sender) -> None:
        self.news[sender] = None
        self._on_news(sender.next_s())


def _keys(mark: str) -> Iterator[str]:
    return (f"{mark}{number:x}" for number in itertools.count(1))
