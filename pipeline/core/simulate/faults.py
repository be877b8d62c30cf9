"""What an exchange shall do wrong, on demand. Each fault is ordered, happens, and is noted."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable

import msgspec
from msgspec import structs

from pipeline.core.simulate.frame import Frame

# A stall that nobody ends goes on for long.
MOST_NOTES = 10_000


class Fault(enum.Enum):
    DROP = "drop"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    STALL = "stall"
    SPOIL = "spoil"  # a checksum
    REFUSE = "refuse"  # a subscription
    OLD_SNAPSHOT = "old_snapshot"
    NO_SNAPSHOT = "no_snapshot"


class Hitch(enum.Enum):
    """How a REST call goes wrong."""

    HANG = "hang"
    BUSY = "busy"  # 429
    BROKEN = "broken"  # 500
    SLOW = "slow"


class Order(msgspec.Struct):
    """
    Attributes:
        symbol, channel: Whose frames; empty for any. A channel is named in full, by the venue's
            word for its kind, or by our type of data.
        count: How many more times; None without end.
        size: Changes that an old snapshot is behind.
    """

    fault: Fault
    symbol: str
    channel: str
    count: int | None
    size: int = 0


class RestOrder(msgspec.Struct):
    """
    Attributes:
        path: A part of the path; empty for any.
        seconds: How long a slow call takes, or what a busy one tells to wait.
    """

    hitch: Hitch
    path: str
    count: int | None
    seconds: float


class Done(msgspec.Struct, frozen=True):
    """A fault that happened to this frame."""

    fault: Fault
    frame: Frame


class Faults:
    """
    Attributes:
        done: What happened, in its order.
    """

    def __init__(self) -> None:
        self.done: deque[Done] = deque(maxlen=MOST_NOTES)
        self._orders: list[Order] = []
        self._rest: list[RestOrder] = []
        self._held: dict[str, Frame] = {}

    def drop_next(self, symbol: str = "", channel: str = "", count: int = 1) -> None:
        self._order(Fault.DROP, symbol, channel, count)

    def duplicate_next(self, symbol: str = "", channel: str = "", count: int = 1) -> None:
        self._order(Fault.DUPLICATE, symbol, channel, count)

    def reorder_next(self, symbol: str = "", channel: str = "", count: int = 1) -> None:
        """Let the next frame come after the one that follows it on its channel."""
        self._order(Fault.REORDER, symbol, channel, count)

    def bad_checksum(self, symbol: str = "", channel: str = "", count: int = 1) -> None:
        self._order(Fault.SPOIL, symbol, channel, count)

    def stall(self, symbol: str = "", channel: str = "") -> None:
        """Say nothing on these channels until `resume`, while the links stay open."""
        self._order(Fault.STALL, symbol, channel, None)

    def resume(self) -> None:
        self._orders = [order for order in self._orders if order.fault is not Fault.STALL]

    def refuse(self, symbol: str = "", channel: str = "", count: int | None = None) -> None:
        """Do not take subscriptions to these channels."""
        self._order(Fault.REFUSE, symbol, channel, count)

    def old_snapshot(self, symbol: str = "", changes: int = 200, count: int = 1) -> None:
        """Let the next snapshot be so many changes behind the book."""
        self._orders.append(Order(Fault.OLD_SNAPSHOT, symbol, "", count, changes))

    def no_snapshot(self, symbol: str = "", count: int = 1) -> None:
        """Let a subscription begin without its snapshot."""
        self._order(Fault.NO_SNAPSHOT, symbol, "", count)

    def rest(self, hitch: str, path: str = "", count: int | None = 1, seconds: float = 1.0) -> None:
        """
        Let REST calls go wrong: `hang`, `busy` (429), `broken` (500) or `slow`.

        Raises:
            ValueError: There is no such hitch.
        """
        self._rest.append(RestOrder(Hitch(hitch), path, count, seconds))

    def clear(self) -> None:
        """Take back every order, frames that are held back among them."""
        self._orders.clear()
        self._rest.clear()
        self._held.clear()

    # For the exchange

    def through(self, frame: Frame) -> list[Frame]:
        """Return what is really sent in place of a frame."""
        if held := self._held.pop(frame.channel, None):
            return [frame, held]
        if self._orders and not frame.snapshot:
            for fault, work in _WORKS.items():
                if self._takes(fault, frame.symbol, frame.channel, frame.kind, frame.data_type):
                    self.done.append(Done(fault, frame))
                    if fault is Fault.REORDER:
                        self._held[frame.channel] = frame
                    return work(frame)
        return [frame]

    def refuses(self, symbol: str, *names: str) -> bool:
        return self._takes(Fault.REFUSE, symbol, *names) is not None

    def withholds_snapshot(self, symbol: str) -> bool:
        return self._takes(Fault.NO_SNAPSHOT, symbol) is not None

    def snapshot_age(self, symbol: str) -> int:
        """Return how many changes a snapshot shall be behind; mostly 0."""
        order = self._takes(Fault.OLD_SNAPSHOT, symbol)
        return order.size if order else 0

    def of_call(self, path: str) -> RestOrder | None:
        for order in self._rest:
            if order.path in path:
                if order.count is not None:
                    order.count -= 1
                    if order.count <= 0:
                        self._rest.remove(order)
                return order
        return None

    def _order(self, fault: Fault, symbol: str, channel: str, count: int | None) -> None:
        self._orders.append(Order(fault, symbol, channel, count))

    def _takes(self, fault: Fault, symbol: str, *names: str) -> Order | None:
        """Return the first such order for this symbol and channel, used once more."""
        for order in self._orders:
            if (
                order.fault is fault
                and order.symbol in ("", symbol)
                and (not order.channel or order.channel in names)
            ):
                if order.count is not None:
                    order.count -= 1
                    if order.count <= 0:
                        self._orders.remove(order)
                return order
        return None


def _spoilt(frame: Frame) -> list[Frame]:
    data = {**frame.data, "checksum": frame.data.get("checksum", 0) ^ 1}
    return [structs.replace(frame, data=data)]


_WORKS: dict[Fault, Callable[[Frame], list[Frame]]] = {
    Fault.STALL: lambda frame: [],
    Fault.DROP: lambda frame: [],
    Fault.REORDER: lambda frame: [],
    Fault.DUPLICATE: lambda frame: [frame, frame],
    Fault.SPOIL: _spoilt,
}
