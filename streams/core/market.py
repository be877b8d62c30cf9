"""A stored market message in words a person or a browser reads: decimals as text, times in ms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError, Message

from streams.core.errors import BadSubject
from streams.core.proto.market_pb2 import (
    FLAG_CONTROL,
    Aggressor,
    Control,
    Flag,
    Funding,
    Kline,
    OrderBook,
    Ticker,
    Trade,
    VolatilityIndex,
)
from streams.core.templates import STANDARD, Templates

MarketMessage: TypeAlias = Trade | Ticker | OrderBook | Kline | VolatilityIndex | Funding

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

# A later schema may know more of each of them.
AGGRESSORS = {number: name.removeprefix("AGGRESSOR_").lower() for name, number in Aggressor.items()}
CONTROLS = {number: name.removeprefix("KIND_").lower() for name, number in Control.Kind.items()}
FLAGS = {bit: name.removeprefix("FLAG_").lower() for name, bit in Flag.items() if bit}


class Undecodable(ValueError):
    """The payload is not the protobuf message that its subject promises."""


def decoded(data_type: str, payload: bytes) -> MarketMessage:
    """
    Return the message of one type of data. It may be a control message: see `is_control`.

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
    assert isinstance(found, MarketMessage)
    return found


def parse(subject: str, payload: bytes, templates: Templates = STANDARD) -> MarketMessage:
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


def is_control(message: MarketMessage) -> bool:
    """Return whether it holds no data, but says what happened to those of its subject."""
    return bool(message.flags & FLAG_CONTROL) or message.HasField("control")


def decimal(number: int, exponent: int) -> str:
    """
    Return number * 10**exponent as exact text: `decimal(6173763, -2)` is `61737.63`.

    Raises:
        Undecodable: An exponent that no price has.
    """
    if abs(exponent) > LARGEST_EXPONENT:
        raise Undecodable(f"exponent {exponent}")
    return format(Decimal(number).scaleb(exponent), "f")


def readable(subject: str, payload: bytes, templates: Templates = STANDARD) -> dict[str, Any]:
    """
    Return the message as a JSON-ready mapping; prices and quantities are exact decimal text.

    Raises:
        BadSubject, Undecodable: See `parse`.
    """
    return words(parse(subject, payload, templates))


def words(message: MarketMessage) -> dict[str, Any]:
    """
    Return the message as `readable` does.

    What the venue does not tell is left out. A control message has `control` and no data at all,
    so that nobody takes the zeros of its empty fields for prices.

    Raises:
        Undecodable: Its prices and quantities are not as many, or have impossible exponents.
    """
    said = _control(message.control) if is_control(message) else _DATA[type(message)](message)
    return {
        "venue": message.venue,
        "symbol": message.symbol,
        "eventMs": _ms(message.event_ns),
        "receivedMs": message.received_ns // 1_000_000,
        **said,
        "localSeq": message.local_seq,
        "epoch": message.epoch,
        "flags": [name for bit, name in FLAGS.items() if message.flags & bit],
    }


def _control(control: Control) -> dict[str, Any]:
    return {
        "control": {
            "kind": CONTROLS.get(control.kind, "unknown"),
            "reason": control.reason,
            "firstMissing": control.first_missing,
            "lastMissing": control.last_missing,
            "sinceMs": _ms(control.since_ns),
        }
    }


def _trade(trade: Trade) -> dict[str, Any]:
    return {
        "tradeId": trade.trade_id,
        "tradeMs": trade.trade_ns // 1_000_000,
        "price": decimal(trade.price, trade.price_exponent),
        "quantity": decimal(trade.quantity, trade.quantity_exponent),
        "aggressor": AGGRESSORS.get(trade.aggressor, "unknown"),
        **({"seq": trade.seq} if trade.seq else {}),
        **({"firstSeq": trade.first_seq} if trade.first_seq else {}),
    }


def _ticker(ticker: Ticker) -> dict[str, Any]:
    p, q = ticker.price_exponent, ticker.quantity_exponent
    return {
        "lastSeq": ticker.last_seq,
        "bid": decimal(ticker.bid_price, p),
        "bidQuantity": decimal(ticker.bid_quantity, q),
        "ask": decimal(ticker.ask_price, p),
        "askQuantity": decimal(ticker.ask_quantity, q),
        **_told(ticker, {"last_price": p, "last_quantity": q, "mark_price": p}),
        **_told(ticker, {"index_price": p, "open_interest": q}),
    }


def _book(book: OrderBook) -> dict[str, Any]:
    p, q = book.price_exponent, book.quantity_exponent
    return {
        "firstSeq": book.first_seq,
        "lastSeq": book.last_seq,
        **({"prevSeq": book.prev_seq} if book.HasField("prev_seq") else {}),
        **({"checksum": book.checksum} if book.HasField("checksum") else {}),
        "bids": _levels(book.bid_prices, book.bid_quantities, p, q),
        "asks": _levels(book.ask_prices, book.ask_quantities, p, q),
    }


def _kline(kline: Kline) -> dict[str, Any]:
    p, q = kline.price_exponent, kline.quantity_exponent
    return {
        "interval": kline.interval,
        "openMs": kline.open_ns // 1_000_000,
        "closeMs": kline.close_ns // 1_000_000,
        "open": decimal(kline.open, p),
        "high": decimal(kline.high, p),
        "low": decimal(kline.low, p),
        "close": decimal(kline.close, p),
        "volume": decimal(kline.volume, q),
        "closed": kline.closed,
        **_told(kline, {"quote_volume": kline.quote_exponent, "taker_volume": q}),
        **({"trades": kline.trades} if kline.HasField("trades") else {}),
    }


def _index(index: VolatilityIndex) -> dict[str, Any]:
    return {"value": decimal(index.value, index.price_exponent)}


def _funding(funding: Funding) -> dict[str, Any]:
    p = funding.price_exponent
    return {
        "rate": decimal(funding.rate, funding.rate_exponent),
        "nextMs": _ms(funding.next_ns),
        **_told(funding, {"mark_price": p, "index_price": p}),
    }


_DATA: Mapping[type[MarketMessage], Callable[[Any], dict[str, Any]]] = {
    Trade: _trade,
    Ticker: _ticker,
    OrderBook: _book,
    Kline: _kline,
    VolatilityIndex: _index,
    Funding: _funding,
}


def _ms(time_ns: int) -> int | None:
    return time_ns // 1_000_000 or None


def _told(message: Message, fields: Mapping[str, int]) -> dict[str, str]:
    """Return those of the optional fields that are there; each is given with its exponent."""
    return {
        _CAMEL[name]: decimal(getattr(message, name), exponent)
        for name, exponent in fields.items()
        if message.HasField(name)
    }


_CAMEL = {
    "last_price": "lastPrice",
    "last_quantity": "lastQuantity",
    "mark_price": "markPrice",
    "index_price": "indexPrice",
    "open_interest": "openInterest",
    "quote_volume": "quoteVolume",
    "taker_volume": "takerVolume",
}


def _levels(prices: Sequence[int], quantities: Sequence[int], p: int, q: int) -> list[list[str]]:
    if len(prices) != len(quantities):
        raise Undecodable(f"{len(prices)} prices with {len(quantities)} quantities")
    return [
        [decimal(price, p), decimal(quantity, q)]
        for price, quantity in zip(prices, quantities, strict=True)
    ]
