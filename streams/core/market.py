"""A stored market message in words a person or a browser reads: decimals as text, times in ms."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from google.protobuf.message import DecodeError, Message

from streams.core.errors import BadSubject
from streams.core.proto.market_pb2 import (
    Aggressor,
    Funding,
    Kline,
    OrderBook,
    Ticker,
    Trade,
    VolatilityIndex,
)
from streams.core.templates import STANDARD, Templates

KINDS: dict[str, type[Message]] = {
    "trade": Trade,
    "ticker": Ticker,
    "orderbook": OrderBook,
    "kline": Kline,
    "volatility_index": VolatilityIndex,
    "funding": Funding,
}


# No price has more digits. A damaged message may claim a billion of zeros.
LARGEST_EXPONENT = 64

# A later schema may know more of them.
AGGRESSORS = {number: name.removeprefix("AGGRESSOR_").lower() for name, number in Aggressor.items()}


class Undecodable(ValueError):
    """The payload is not the protobuf message that its subject promises."""


def decoded(data_type: str, payload: bytes) -> Trade | Ticker | OrderBook:
    """
    Return the message of one type of data.

    Raises:
        BadSubject: No such type has a message.
        Undecodable: The payload is not of it.
    """
    message_type = KINDS.get(data_type)
    if message_type is None:
        raise BadSubject(f"data of type {data_type!r} have no message")
    found = message_type()
    try:
        found.ParseFromString(payload)
    except DecodeError as e:
        raise Undecodable(f"{data_type}: {e}") from e
    assert isinstance(found, Trade | Ticker | OrderBook)
    return found


def parse(
    subject: str, payload: bytes, templates: Templates = STANDARD
) -> Trade | Ticker | OrderBook:
    """
    Return the message that was stored under a subject of market data.

    Raises:
        BadSubject: The subject names no kind of market data.
        Undecodable: The payload is not that kind.
    """
    place = templates.parse(subject)
    if place is None or place.data_type not in KINDS:
        raise BadSubject(f"{subject!r} names no kind of market data")
    return decoded(place.data_type, payload)


def decimal(number: int, exponent: int) -> str:
    """Return number * 10**exponent as exact text: `decimal(6173763, -2)` is `61737.63`."""
    return format(Decimal(number).scaleb(exponent), "f")


def readable(subject: str, payload: bytes, templates: Templates = STANDARD) -> dict[str, Any]:
    """
    Return the message as a JSON-ready mapping; prices and quantities are exact decimal text.

    Raises:
        BadSubject, Undecodable: See `parse`.
    """
    return words(parse(subject, payload, templates))


def words(message: Trade | Ticker | OrderBook) -> dict[str, Any]:
    """
    Return the message as `readable` does.

    Raises:
        Undecodable: Its prices and quantities are not as many.
    """
    p, q = message.price_exponent, message.quantity_exponent
    if max(abs(p), abs(q)) > LARGEST_EXPONENT:
        raise Undecodable(f"exponents {p} and {q}")
    common = {
        "venue": message.venue,
        "symbol": message.symbol,
        "eventMs": message.event_ns // 1_000_000 or None,
        "receivedMs": message.received_ns // 1_000_000,
    }
    match message:
        case Trade():
            return common | {
                "tradeId": message.trade_id,
                "tradeMs": message.trade_ns // 1_000_000,
                "price": decimal(message.price, p),
                "quantity": decimal(message.quantity, q),
                "aggressor": AGGRESSORS.get(message.aggressor, "unknown"),
            }
        case Ticker():
            return common | {
                "lastSeq": message.last_seq,
                "bid": decimal(message.bid_price, p),
                "bidQuantity": decimal(message.bid_quantity, q),
                "ask": decimal(message.ask_price, p),
                "askQuantity": decimal(message.ask_quantity, q),
            }
        case OrderBook():
            return common | {
                "firstSeq": message.first_seq,
                "lastSeq": message.last_seq,
                "bids": _levels(message.bid_prices, message.bid_quantities, p, q),
                "asks": _levels(message.ask_prices, message.ask_quantities, p, q),
            }


def _levels(prices: Sequence[int], quantities: Sequence[int], p: int, q: int) -> list[list[str]]:
    if len(prices) != len(quantities):
        raise Undecodable(f"{len(prices)} prices with {len(quantities)} quantities")
    return [
        [decimal(price, p), decimal(quantity, q)]
        for price, quantity in zip(prices, quantities, strict=True)
    ]
