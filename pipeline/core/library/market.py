"""A mapping of any source -> a market message, exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from pipeline.core.errors import DecodeError
from pipeline.core.messages import Aggressor
from pipeline.core.scale import whole
from streams.core.proto.market_pb2 import Ticker, Trade

_MAX_NS = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_NUMBER = 64
_LONGEST_NAME = 200

# A time of today says its unit by its size: these are the year 5138 in that unit.
_UNITS = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3))

_SIDES = {
    "buy": Aggressor.BUYER, "buyer": Aggressor.BUYER, "bid": Aggressor.BUYER,
    "sell": Aggressor.SELLER, "seller": Aggressor.SELLER, "ask": Aggressor.SELLER,
}  # fmt: skip


def message(data: Mapping[str, Any]) -> Trade | Ticker:
    """
    Return a Trade where there is a price and a quantity, and no `bid` or `ask`; else a Ticker.

    Keys; all but `symbol` may be missing or None, and others are not looked at:

    * symbol; venue or exchange
    * price; quantity or volume: what was traded at it. With `bid` or `ask` beside them they are the
      last trade of a Ticker
    * bid, ask; bid_quantity or bid_size, ask_quantity or ask_size
    * timestamp: seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size;
      or a datetime with its zone. received_ns: nanoseconds
    * trade_id; side: buy or sell, who crossed the spread

    Numbers are ints, Decimals, decimal texts, or floats, which count as what they print.

    Raises:
        DecodeError: `shape`, `number` or `text`. Its text names the key, never the value.
    """
    price, quantity = _number(data, "price"), _number(data, "quantity", "volume")
    quotes = [_number(data, "bid"), _number(data, "ask")]
    if price is not None and quantity is not None and not any(quotes):
        return _trade(data, price, quantity)
    if price is None and not any(quotes):
        raise DecodeError("shape", "neither price nor bid nor ask")
    return _ticker(data, quotes, price, quantity)


def _trade(data: Mapping[str, Any], price: str, quantity: str) -> Trade:
    (price_number,), price_exponent = whole([price])
    (quantity_number,), quantity_exponent = whole([quantity])
    event_ns = _time_ns(data)
    return Trade(
        **_head(data, event_ns),
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        trade_id=_name(data, "trade_id"),
        trade_ns=event_ns,
        price=price_number,
        quantity=quantity_number,
        aggressor=_side(data),  # type: ignore[arg-type]
    )


def _ticker(
    data: Mapping[str, Any],
    quotes: Sequence[str | None],
    price: str | None,
    quantity: str | None,
) -> Ticker:
    sizes = [
        _number(data, "bid_quantity", "bid_size"),
        _number(data, "ask_quantity", "ask_size"),
    ]
    (bid, ask, last), price_exponent = _together("bid, ask and price", [*quotes, price])
    (bids, asks, last_size), quantity_exponent = _together("the quantities", [*sizes, quantity])
    found = Ticker(
        **_head(data, _time_ns(data)),
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        bid_price=bid,
        bid_quantity=bids,
        ask_price=ask,
        ask_quantity=asks,
    )
    if price is not None:
        found.last_price = last
    if quantity is not None:
        found.last_quantity = last_size
    return found


def _head(data: Mapping[str, Any], event_ns: int) -> dict[str, Any]:
    symbol = _name(data, "symbol")
    if not symbol:
        raise DecodeError("shape", "symbol: missing")
    return {
        "symbol": symbol,
        "venue": _name(data, "venue", "exchange"),
        "event_ns": event_ns,
        "received_ns": _whole_ns(data, "received_ns"),
    }


def _named(data: Mapping[str, Any], *names: str) -> tuple[str, Any]:
    """Return the first of these keys that has a value, and that."""
    for name in names:
        if (value := data.get(name)) is not None:
            return name, value
    return names[0], None


def _number(data: Mapping[str, Any], *names: str) -> str | None:
    """Return a number as text that `scale.whole` reads; None where there is none."""
    name, value = _named(data, *names)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise DecodeError("shape", f"{name}: no number")
    # Else Python would refuse to write it.
    if isinstance(value, int) and value.bit_length() > _LONGEST_NUMBER:
        raise DecodeError("number", f"{name}: too large for 64 bits")
    text = value if isinstance(value, str) else str(value)
    try:
        whole([text])
    except DecodeError as e:
        raise DecodeError("number", f"{name}{str(e).removeprefix(e.reason)}") from None
    return text


def _together(names: str, texts: Sequence[str | None]) -> tuple[list[int], int]:
    """Return the numbers with one exponent; what is not there is 0."""
    try:
        return whole([text or "0" for text in texts])
    except DecodeError as e:
        raise DecodeError("number", f"{names}{str(e).removeprefix(e.reason)}") from None


def _name(data: Mapping[str, Any], *names: str) -> str:
    name, value = _named(data, *names)
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool) and name == "trade_id":
        value = str(value) if value.bit_length() <= _LONGEST_NUMBER else ""
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_NAME:
        raise DecodeError("shape", f"{name}: no text of 1 to {_LONGEST_NAME} characters")
    if not value.isprintable():  # Half a surrogate pair is not printable either.
        raise DecodeError("text", f"{name}: holds a control character")
    return value


def _side(data: Mapping[str, Any]) -> Aggressor:
    _, value = _named(data, "side")
    if value is None:
        return Aggressor.UNKNOWN
    found = _SIDES.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise DecodeError("shape", "side: neither buy nor sell")
    return found


def _time_ns(data: Mapping[str, Any]) -> int:
    """Return `timestamp` in nanoseconds; 0 where there is none."""
    value = data.get("timestamp")
    if value is None:
        return 0
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise DecodeError("shape", "timestamp: a time without its zone")
        return _in_range((value - _EPOCH) // timedelta(microseconds=1) * 1000, "timestamp")
    text = _number(data, "timestamp")
    assert text is not None
    number = Decimal(text)
    size = abs(number)
    unit_ns = next((unit_ns for below, unit_ns in _UNITS if size < below), 1)
    return _in_range(int(number * unit_ns), "timestamp")


def _whole_ns(data: Mapping[str, Any], name: str) -> int:
    value = data.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise DecodeError("shape", f"{name}: no whole number")
    return _in_range(value, name)


def _in_range(time_ns: int, name: str) -> int:
    if not 0 <= time_ns <= _MAX_NS:
        raise DecodeError("number", f"{name}: not between the years 1970 and 2262")
    return time_ns
