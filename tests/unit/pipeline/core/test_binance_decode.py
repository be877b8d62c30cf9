from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.errors import DecodeError
from pipeline.core.messages import (
    Accepted,
    Aggressor,
    Farewell,
    Funding,
    Kline,
    OrderBook,
    Record,
    Rejected,
    Skipped,
    Ticker,
    Trade,
)
from pipeline.core.venues import VENUES
from pipeline.core.venues.binance import BinanceSpot
from pipeline.core.venues.binance import decode as decode_module
from tests.unit.pipeline.core.anything import json_values

SPOT, USDM, COINM = "binance", "binance-usdm", "binance-coinm"


def decode(data, venue=SPOT):
    (found,) = VENUES[venue]({}).decode(data)
    return found


TRADE = {
    "e": "trade", "E": 1723161255343, "s": "BTCUSDT", "t": 3735683259, "p": "61837.63000000",
    "q": "0.02000000", "T": 1723161255342, "m": True, "M": True,
}  # fmt: skip
TICKER = {
    "u": 50093239212, "s": "BTCUSDT", "b": "61837.63000000", "B": "3.78826000",
    "a": "61837.64000000", "A": "1.54698000",
}  # fmt: skip
DEPTH: dict[str, Any] = {
    "e": "depthUpdate", "E": 1723161255208, "s": "BTCUSDT", "U": 50093239189, "u": 50093239202,
    "b": [["61737.63000000", "0.00000000"]],
    "a": [["61837.64000000", "1.54698000"], ["61845.11000000", "0.32329000"]],
}  # fmt: skip


FUTURES_DEPTH = DEPTH | {"T": 1723161255205, "pu": 50093239188}
FUTURES_TICKER = TICKER | {"e": "bookTicker", "E": 1723161255209, "T": 1723161255208}
AGGREGATE = {
    "e": "aggTrade", "E": 1633998523963, "s": "NKNUSDT", "a": 15683430, "p": "0.35280000",
    "q": "58.00000000", "f": 19862790, "l": 19862792, "T": 1633998523960, "m": False, "M": True,
}  # fmt: skip
CANDLE = {
    "t": 1633998480000, "T": 1633998539999, "s": "NKNUSDT", "i": "1m", "f": 19862761,
    "L": 19862790, "o": "0.35270000", "c": "0.35280000", "h": "0.35290000", "l": "0.35220000",
    "v": "25877.00000000", "n": 30, "x": False, "q": "9116.04600000", "V": "58.00000000",
    "Q": "20.46240000", "B": "0",
}  # fmt: skip
KLINE: dict[str, Any] = {"e": "kline", "E": 1633998523963, "s": "NKNUSDT", "k": CANDLE}
MARK_PRICE = {
    "e": "markPriceUpdate", "E": 1562305380000, "s": "BTCUSDT", "p": "11794.15000000",
    "i": "11784.62659091", "P": "11784.25641265", "r": "0.00038167", "T": 1562306400000,
}  # fmt: skip


def frame(stream, data):
    """Written as the venue does, so that the name of the stream is found where it stands first."""
    return json.dumps({"stream": stream, "data": data}, separators=(",", ":")).encode()


def trade(**changed):
    return frame("btcusdt@trade", TRADE | changed)


def test_a_trade_keeps_every_number_and_time():
    assert decode(trade()) == Trade(
        symbol="BTCUSDT",
        event_ns=1723161255343_000_000,
        price_exponent=-8,
        quantity_exponent=-8,
        trade_id="3735683259",
        seq=3735683259,
        trade_ns=1723161255342_000_000,
        price=6183763000000,
        quantity=2000000,
        aggressor=Aggressor.SELLER,
    )


def test_when_the_seller_was_the_maker_the_buyer_crossed_the_spread():
    found = decode(trade(m=False))

    assert isinstance(found, Trade)
    assert found.aggressor is Aggressor.BUYER


def test_a_best_bid_and_offer_has_no_time():
    assert decode(frame("btcusdt@bookTicker", TICKER)) == Ticker(
        symbol="BTCUSDT",
        event_ns=0,
        price_exponent=-8,
        quantity_exponent=-8,
        last_seq=50093239212,
        bid_price=6183763000000,
        bid_quantity=378826000,
        ask_price=6183764000000,
        ask_quantity=154698000,
    )


@pytest.mark.parametrize("stream", ["btcusdt@depth", "btcusdt@depth@100ms", "btcusdt@depth@1000ms"])
def test_a_book_update_is_read_at_any_speed(stream):
    assert decode(frame(stream, DEPTH)) == OrderBook(
        symbol="BTCUSDT",
        event_ns=1723161255208_000_000,
        price_exponent=-8,
        quantity_exponent=-8,
        first_seq=50093239189,
        last_seq=50093239202,
        bid_prices=[6173763000000],
        bid_quantities=[0],
        ask_prices=[6183764000000, 6184511000000],
        ask_quantities=[154698000, 32329000],
    )


@pytest.mark.parametrize("venue", [USDM, COINM])
def test_a_book_update_of_the_futures_says_where_the_one_before_ended(venue):
    found = decode(frame("btcusdt@depth@0ms", FUTURES_DEPTH), venue)

    assert isinstance(found, OrderBook)
    assert (found.prev_seq, found.first_seq, found.last_seq) == (
        50093239188, 50093239189, 50093239202,
    )  # fmt: skip


def test_a_book_update_of_the_futures_without_it_is_refused():
    with pytest.raises(DecodeError, match="pu"):
        decode(frame("btcusdt@depth", DEPTH), USDM)


@pytest.mark.parametrize("venue", [USDM, COINM])
def test_a_best_bid_and_offer_of_the_futures_has_a_time(venue):
    found = decode(frame("btcusdt@bookTicker", FUTURES_TICKER), venue)

    assert isinstance(found, Ticker)
    assert found.event_ns == 1723161255209_000_000


def test_an_aggregate_trade_has_a_number_of_its_own():
    assert decode(frame("nknusdt@aggTrade", AGGREGATE)) == Trade(
        symbol="NKNUSDT",
        event_ns=1633998523963_000_000,
        price_exponent=-8,
        quantity_exponent=-8,
        trade_id="15683430",
        seq=15683430,
        trade_ns=1633998523960_000_000,
        price=35280000,
        quantity=5800000000,
        aggressor=Aggressor.BUYER,
    )


def test_what_nobody_traded_in_the_market_is_no_trade():
    found = decode(frame("btcusdt@trade", TRADE | {"X": "INSURANCE_FUND"}), USDM)

    assert found is Skipped.OTHER_KIND


def test_as_some_trades_of_the_futures_are_left_out_the_others_are_not_counted():
    found = decode(frame("btcusdt@trade", TRADE | {"X": "MARKET"}), USDM)

    assert isinstance(found, Trade)
    assert (found.seq, found.trade_id) == (0, "3735683259")


def candle(**changed):
    return frame("nknusdt@kline_1m", KLINE | {"k": CANDLE | changed})


def test_a_candle_keeps_every_number_and_time():
    found = decode(candle())

    assert isinstance(found, Kline)
    assert msgspec.structs.replace(found, digest=0) == Kline(
        symbol="NKNUSDT",
        interval="1m",
        event_ns=1633998523963_000_000,
        price_exponent=-8,
        quantity_exponent=-8,
        open_ns=1633998480000_000_000,
        close_ns=1633998539999_000_000,
        open=35270000,
        high=35290000,
        low=35220000,
        close=35280000,
        volume=2587700000000,
        closed=False,
        quote_volume=911604600000,
        quote_exponent=-8,
        taker_volume=5800000000,
        trades=30,
    )


def test_volume_of_coin_margined_candles_is_in_contracts_and_has_no_quote_currency():
    found = decode(candle(v="25877", V="58", q="9.116"), COINM)

    assert isinstance(found, Kline)
    assert (found.volume, found.taker_volume, found.quote_volume) == (25877, 58, None)


def test_candles_of_the_same_time_are_told_apart_by_what_is_in_them():
    candles = [candle(), candle(x=True), candle(L=19862791, n=31)]

    assert len({decode(each).digest for each in candles}) == 3
    assert decode(candle()).digest == decode(json.dumps(KLINE).encode()).digest


@pytest.mark.parametrize("interval", ["1s", "1m", "12h", "3d", "1w", "1M"])
def test_candles_of_every_interval_are_read(interval):
    data = KLINE | {"k": CANDLE | {"i": interval}}

    assert decode(frame(f"nknusdt@kline_{interval}", data)).interval == interval


def test_a_mark_price_tells_the_funding():
    found = decode(frame("btcusdt@markPrice@1s", MARK_PRICE), USDM)

    assert isinstance(found, Funding)
    assert msgspec.structs.replace(found, digest=0) == Funding(
        symbol="BTCUSDT",
        event_ns=1562305380000_000_000,
        price_exponent=-8,
        rate=38167,
        rate_exponent=-8,
        next_ns=1562306400000_000_000,
        mark_price=1179415000000,
        index_price=1178462659091,
    )


def test_a_contract_that_is_delivered_has_no_funding():
    data = MARK_PRICE | {"s": "BTCUSD_201225", "r": "", "T": 0}

    assert decode(frame("btcusd_201225@markPrice", data), COINM) is Skipped.OTHER_KIND


KINDS = [
    ("x@trade", TRADE, SPOT),
    ("x@aggTrade", AGGREGATE, SPOT),
    ("x@bookTicker", TICKER, SPOT),
    ("x@bookTicker", FUTURES_TICKER, USDM),
    ("x@depth", DEPTH, SPOT),
    ("x@depth", FUTURES_DEPTH, COINM),
    ("x@kline_1m", KLINE, SPOT),
    ("x@markPrice@1s", MARK_PRICE, USDM),
    ("!serverShutdown", {"e": "serverShutdown", "E": 1770123456789}, SPOT),
]


@pytest.mark.parametrize(("stream", "data", "venue"), KINDS)
def test_data_are_the_same_in_whatever_frame(stream, data, venue):
    short = decode(frame(stream, data), venue)

    assert decode(json.dumps(data).encode(), venue) == short
    assert decode(json.dumps({"stream": stream, "data": data}).encode(), venue) == short
    assert decode(json.dumps({"data": data, "stream": stream}).encode(), venue) == short


@pytest.mark.parametrize("venue", [SPOT, USDM, COINM])
def test_a_memoryview_is_read_as_bytes_are(venue):
    assert decode(memoryview(trade()), venue) == decode(trade(), venue)


def test_symbols_outside_ascii_are_read():
    data = TRADE | {"s": "币安人生USDT"}
    written = json.dumps({"stream": "币安人生usdt@trade", "data": data}, ensure_ascii=False)

    assert decode(written.replace(": ", ":").encode()).symbol == "币安人生USDT"
    assert decode(frame("币安人生usdt@trade", data)).symbol == "币安人生USDT"


def test_the_longest_name_of_a_stream_is_found():
    symbol = "币" * 64

    assert decode(frame(f"{symbol}@kline_15m", KLINE | {"s": symbol})).symbol == symbol


@pytest.mark.parametrize(
    "stream",
    [
        "btcusdt@ticker", "btcusdt@depth20@100ms", "btcusdt@depth5", "btcusdt@kline_1d@+08:00",
        "btcusdt@markPrice", "btcusdt@blockTrade", "!miniTicker@arr", "@trade", "", "btcusdt",
    ],
)  # fmt: skip
def test_streams_that_we_do_not_carry_are_skipped(stream):
    assert decode(frame(stream, {"e": "whatever"})) is Skipped.OTHER_KIND


def test_kinds_that_we_do_not_carry_are_skipped():
    assert decode(b'{"e":"24hrMiniTicker","s":"BTCUSDT"}') is Skipped.OTHER_KIND


def test_a_request_that_was_taken_is_told_by_its_number():
    assert decode(b'{"result":null,"id":312}') == Accepted(312)


@pytest.mark.parametrize(
    "reply", [b'{"result":["a@trade"],"id":3}', b'{"result":null,"id":"x"}', b'{"result":true}']
)
def test_other_replies_are_skipped(reply):
    assert decode(reply) is Skipped.REPLY


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b'{"error":{"code":2}}', Rejected(0, "2", "")),
        (b'{"error":{"code":2,"msg":"Invalid"},"id":7}', Rejected(7, "2", "Invalid")),
        (b'{"code":3,"msg":"Invalid JSON"}', Rejected(0, "3", "Invalid JSON")),
        (b'{"code":0,"msg":"a\\r\\nb","id":"x"}', Rejected(0, "0", "a  b")),
    ],
)  # fmt: skip
def test_a_request_that_was_refused_is_told_with_the_reason(reply, expected):
    assert decode(reply) == expected


def test_the_words_of_a_refusal_are_shortened():
    found = decode(json.dumps({"error": {"code": 2, "msg": "x" * 5000}}).encode())

    assert isinstance(found, Rejected)
    assert len(found.text) == 200


def test_a_server_that_shuts_down_says_farewell():
    assert isinstance(decode(b'{"e":"serverShutdown","E":1770123456789}'), Farewell)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"", "json"),
        (b"{", "json"),
        (b"\xef\xbb\xbf{}", "json"),
        (trade() + b"x", "json"),
        (b"[]", "shape"),
        (b"{}", "shape"),
        (b'{"stream":"x@trade"}', "shape"),
        (b'{"x":' + b"[" * 100_000, "nesting"),
        (b'{"stream":"\xff","data":{}}', "text"),
        (trade(p=1.5), "shape"),
        (trade(p="nan"), "number"),
        (trade(p="1e400"), "number"),
        (trade(p="1e-999999999"), "number"),
        (trade(p="9" * 20), "number"),
        (trade(p=""), "number"),
        (trade(t=-1), "shape"),
        (trade(E=2**63), "shape"),
        (trade(s=""), "shape"),
        (trade(s="A\r\nB"), "shape"),
        (trade(e="aggTrade"), "shape"),
        (trade().replace(b'"61837.63000000"', b"NaN"), "json"),
        (frame("x@depth", DEPTH | {"U": DEPTH["u"] + 1}), "shape"),
        (frame("x@depth", DEPTH | {"b": [["1"]]}), "shape"),
        (frame("x@depth", DEPTH | {"b": [["1", "2", "3"]]}), "shape"),
        (frame("x@depth", DEPTH | {"b": [["1", float("nan")]]}), "json"),
        (b'{"stream":"x@depth","data":{"z":' + b"[" * 100_000, "nesting"),
        (b'{"stream":"x@trade","data":[]}', "shape"),
        (b'{"stream":"x@trade","data":null}', "shape"),
        (b'{"stream":"x@trade","data":{"s":"\xff"}}', "text"),
        (candle(i="7m"), "shape"),
        (candle(t=10**15), "shape"),
        (candle(v="1e999"), "number"),
        (frame("x@kline_1m", {"e": "kline", "E": 1, "s": "X"}), "shape"),
        (b'{"error":1}', "shape"),
        (b'{"result":null,"id":1.5}', "shape"),
    ],
)
def test_bad_frames_are_our_error_with_a_reason_to_count_by(bad, reason):
    with pytest.raises(DecodeError) as caught:
        decode(bad)

    assert caught.value.reason == reason


@st.composite
def nearly_right(draw):
    """A real frame with some of its fields, or bytes, changed or left out."""
    stream, data, _ = draw(st.sampled_from(KINDS))
    changed = data | draw(st.dictionaries(st.sampled_from(sorted(data)), json_values, max_size=3))
    if "k" in data and isinstance(changed["k"], dict):
        fields = st.sampled_from(sorted(CANDLE))
        changed["k"] = CANDLE | draw(st.dictionaries(fields, json_values, max_size=3))
    for name in draw(st.sets(st.sampled_from(sorted(data)), max_size=1)):
        del changed[name]
    written = bytearray(frame(stream, changed))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(written) - 1))
        written[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(written)


@given(
    st.one_of(
        st.binary(), json_values.map(lambda value: json.dumps(value).encode()), nearly_right()
    ),
    st.sampled_from([SPOT, USDM, COINM]),
)
@example(frame("x@trade", TRADE | {"s": "\ud800"}), SPOT)
def test_any_bytes_are_heard_or_are_our_error(data, venue):
    try:
        found = decode(data, venue)
    except DecodeError:
        return

    assert isinstance(found, Record | Accepted | Rejected | Farewell | Skipped)


PRICES = {
    "price", "bid_price", "ask_price", "open", "high", "low", "close", "mark_price",
    "index_price", "bid_prices", "ask_prices",
}  # fmt: skip
QUANTITIES = {
    "quantity", "bid_quantity", "ask_quantity", "bid_quantities", "ask_quantities", "volume",
    "taker_volume",
}  # fmt: skip


def values(record):
    """Return what a record says, however its numbers are scaled."""
    said = msgspec.structs.asdict(record)
    exponents = dict.fromkeys(PRICES, said.pop("price_exponent"))
    exponents |= dict.fromkeys(QUANTITIES, said.pop("quantity_exponent", 0))
    exponents |= {"quote_volume": said.pop("quote_exponent", 0)}
    exponents |= {"rate": said.pop("rate_exponent", 0)}
    return {
        name: exact(value, exponents[name]) if name in exponents else value
        for name, value in said.items()
    }


def exact(number, exponent):
    if isinstance(number, list):
        return [exact(each, exponent) for each in number]
    return None if number is None else Decimal(number).scaleb(exponent)


def outcome(venue, data):
    """Return what a frame says, or why it says nothing."""
    try:
        (found,) = venue.decode(data)
    except DecodeError as e:
        return e.reason
    return values(found) if isinstance(found, Record) else found


digits = st.text(st.sampled_from("0123456789"), min_size=1, max_size=12)
numbers = st.one_of(
    st.tuples(digits, st.text(st.sampled_from("0123456789"), min_size=8, max_size=8)).map(".".join),
    st.decimals(0, 10**6, places=8).map(str),
    st.decimals(-(10**6), 10**6, places=3).map(str),
    st.sampled_from(["0.00000000", "1", "1.5", "-1.00000000", "1e3", "1.0000e-2", "1_0.00000000"]),
    st.text(st.sampled_from('0123456789.-+eE_ \u0663\\"'), max_size=14),
)


@st.composite
def frames_with_other_numbers(draw):
    """Real frames with other numbers, as a book's next updates have."""
    stream, data, venue = draw(st.sampled_from(KINDS[:-1]))
    changed: dict[str, Any] = dict(data)
    inner = changed["k"] = dict(data["k"]) if "k" in data else {}
    for fields in (changed, inner):
        for name, value in fields.items():
            if isinstance(value, str) and "." in value:
                fields[name] = draw(numbers)
    if not inner:
        del changed["k"]
    for side in {"a", "b"} & set(data) if "depthUpdate" in data.values() else ():
        changed[side] = draw(st.lists(st.tuples(numbers, numbers), max_size=4))
    return venue, stream, data, frame(stream, changed)


@given(st.lists(frames_with_other_numbers(), min_size=1, max_size=6), nearly_right())
def test_what_was_heard_before_changes_nothing(heard, last):
    venues = {name: VENUES[name]({}) for name in (SPOT, USDM, COINM)}
    for venue, stream, data, written in heard:
        outcome(venues[venue], frame(stream, data))
        for each in (written, last):
            fresh = VENUES[venue]({})
            assert outcome(venues[venue], each) == outcome(fresh, each)


@given(frames_with_other_numbers())
def test_numbers_are_exact_or_refused(heard):
    venue, stream, data, written = heard
    made = VENUES[venue]({})
    outcome(made, frame(stream, data))

    found = outcome(made, written)

    if isinstance(found, dict):
        told = json.loads(written)["data"]
        shown = [number for name, number in found.items() if name in PRICES | QUANTITIES]
        for number in shown:
            for each in number if isinstance(number, list) else [number]:
                assert each is None or each in written_in(told)


def written_in(told):
    """Return every decimal number in a frame's data."""
    if isinstance(told, dict):
        told = list(told.values())
    if isinstance(told, list):
        return {number for each in told for number in written_in(each)}
    try:
        return {Decimal(told)} if isinstance(told, str) else set()
    except InvalidOperation:
        return set()


def test_what_is_remembered_of_streams_has_an_end():
    venue = BinanceSpot({})
    for number in range(decode_module.STREAMS + 10):
        venue.decode(frame(f"{number}@x", {}))

    assert venue._decoder._reader.cache_info().currsize == decode_module.STREAMS


def test_a_name_too_long_to_be_remembered_is_refused():
    frame = json.dumps({"stream": "x" * 100_000 + "@trade", "data": {}}).encode()

    with pytest.raises(DecodeError) as caught:
        BinanceSpot({}).decode(frame)

    assert caught.value.reason == "shape"
