"""Where the messages of one subject go, and how far they are numbered."""

from __future__ import annotations

from streams.core.templates import Templates


class Topic:
    """
    One subject of one source.

    Attributes:
        identity: What every message id of the subject begins with: `binance:BTCUSDT:trade`.
        local_seq: The number of the last message handed to the broker; 0 before the first.
        controls: How many of its messages carried no data.
        epoch: Grows with each start of the source, so that numbers may begin again.
        heads: What stays the same in its messages, as written, by the exponents of price and
            quantity; `encode` keeps it.
    """

    __slots__ = (
        "controls", "data_type", "epoch", "heads", "identity", "interval", "local_seq", "subject",
        "symbol", "venue",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913
        self,
        templates: Templates,
        venue: str,
        symbol: str,
        data_type: str,
        interval: str = "",
        *,
        epoch: int = 0,
    ) -> None:
        """
        Raises:
            BadSubject: The symbol is empty or too long for a subject.
        """
        self.venue = venue
        self.symbol = symbol
        self.data_type = data_type
        self.interval = interval
        self.subject = templates.build(data_type, venue, symbol, interval)
        tail = f":{interval}" if interval else ""
        self.identity = f"{venue}:{symbol}:{data_type}{tail}"
        self.epoch = epoch
        self.local_seq = 0
        self.controls = 0
        self.heads: dict[tuple[int, int], bytes] = {}
