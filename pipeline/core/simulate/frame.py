"""One thing that an exchange says to all who hear a channel."""

from __future__ import annotations

from typing import Any

import msgspec


class Frame(msgspec.Struct, frozen=True):
    """
    Attributes:
        channel: As the venue names the subscription, in full.
        kind: The venue's word for it without its parts: `depth`, `books`.
        data_type: Our word for it: `orderbook`, `trade`, `ticker`, `kline`, `funding`,
            `volatility_index`.
        number: The last change or trade it tells of; 0 where there is none.
        data: What the venue writes; the mouth puts the envelope around it.
    """

    channel: str
    symbol: str
    kind: str
    data_type: str
    data: Any
    number: int = 0
    snapshot: bool = False
