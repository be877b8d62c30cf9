from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.errors import DecodeError
from pipeline.core.messages import (
    Accepted,
    Aggressor,
    Demand,
    Farewell,
    Funding,
    Heard,
    Kline,
    OrderBook,
    Rejected,
    Skipped,
    Ticker,
    Trade,
    VolatilityIndex,
)
from pipeline.core.venues.deribit.decode import decode
from pipeline.core.venues.reading import digest

PERPETUAL = "BTC-PERPETUAL"
# Numbers stand as the venue writes them, so the samples are text.
TRADES = """[
    {"trade_seq": 30289442, "trade_id": "48079269", "timestamp": 1590484512188, "price": 8950.0,
     "tick_direction": 2, "mark_price": 8948.9, "instrument_name": "BTC-PERPETUAL",
     "index_price": 8955.88, "direction": "sell", "amount": 10.0},
    {"trade_seq": 30289443, "trade_id": "48079270", "timestamp": 1590484512190, "price": 8950.5,
     "tick_direction": 0, "mark_price": 8948.9, "instrument_name": "BTC-PERPETUAL",
     "index_price": 8955.88, "direction": "buy", "amount": 2.5e3}
]"""
SNAPSHOT = """{
    "type": "snapshot", "timestamp": 1554373962454, "instrument_name": "BTC-PERPETUAL",
    "change_id": 297217, "bids": [["new", 5042.34, 30], ["new", 5041.9, 20.0]],
    "asks": [["new", 5042.64, 4e1]]
}"""
CHANGE = """{
    "type": "change", "timestamp": 1554373911330, "prev_change_id": 297217,
    "instrument_name": "BTC-PERPETUAL", "change_id": 297225,
    "bids": [["delete", 5041.94, 7.5], ["delete", 5042.34, 0.0]], "asks": [["change", 5042.64, 50]]
}"""
TICKER = """{
    "timestamp": 1623060194301, "state": "open", "settlement_price": 36169.49,
    "stats": {"volume": null, "price_change": null, "low": null, "high": null},
    "open_interest": 502097590, "min_price": 35898.37, "max_price": 36991.72,
    "mark_price": 36446.51, "last_price": 36457.5, "instrument_name": "BTC-PERPETUAL",
    "index_price": 36441.64, "funding_8h": 0.0000211, "current_funding": 0,
    "best_bid_price": 36442.5, "best_bid_amount": 5000, "best_ask_price": 36443.0,
    "best_ask_amount": 100.0
}"""
QUOTE = """{
    "timestamp": 1550658624149, "instrument_name": "BTC-PERPETUAL", "best_bid_price": 3914.97,
    "best_bid_amount": 40, "best_ask_price": 3996.61, "best_ask_amount": 50
}"""
CANDLE = """{
    "volume": 0.05219351, "tick": 1573645080000, "open": 8869.79, "low": 8788.25, "high": 8870.31,
    "cost": 460, "close": 8791.25
}"""
VOLATILITY = '{"volatility": 129.36, "timestamp": 1619777946007, "index_name": "btc_usd"}'
INTEREST = '{"interest": 0.004999511380756577, "timestamp": 1571386349530, "index_price": 7872.88}'

SAMPLES = {
    f"trades.{PERPETUAL}.100ms": TRADES,
    f"book.{PERPETUAL}.raw": CHANGE,
    f"book.{PERPETUAL}.agg2": SNAPSHOT,
    f"ticker.{PERPETUAL}.100ms": TICKER,
    f"quote.{PERPETUAL}": QUOTE,
    f"chart.trades.{PERPETUAL}.1": CANDLE,
    "deribit_volatility_index.btc_usd": VOLATILITY,
    f"perpetual.{PERPETUAL}.100ms": INTEREST,
}
KINDS = (*(one for kind in get_args(Heard) for one in get_args(kind) or (kind,)),)


def notification(channel, data):
    head = f'{{"jsonrpc": "2.0", "method": "subscription", "params": {{"channel": "{channel}"'
    return f'{head}, "data": {data}}}}}'.encode()


def changed(channel, **fields):
    return notification(channel, json.dumps(json.loads(SAMPLES[channel]) | fields))


def one(frame) -> Any:
    (found,) = decode(frame)
    return found


def refused(frame):
    with pytest.raises(DecodeError) as caught:
        decode(frame)
    return caught.value.reason


# Data


def test_a_notification_of_several_trades_says_each_of_them_in_order():
    frame = notification(f"trades.{PERPETUAL}.100ms", TRADES)

    assert decode(frame) == [
        Trade(
            symbol=PERPETUAL,
            event_ns=1590484512188_000_000,
            price_exponent=-1,
            quantity_exponent=-1,
            trade_id="48079269",
            seq=30289442,
            trade_ns=1590484512188_000_000,
            price=89500,
            quantity=100,
            aggressor=Aggressor.SELLER,
        ),
        Trade(
            symbol=PERPETUAL,
            event_ns=1590484512190_000_000,
            price_exponent=-1,
            quantity_exponent=2,
            trade_id="48079270",
            seq=30289443,
            trade_ns=1590484512190_000_000,
            price=89505,
            quantity=25,
            aggressor=Aggressor.BUYER,
        ),
    ]


def test_a_notification_of_no_trade_is_skipped():
    assert one(notification(f"trades.{PERPETUAL}.raw", "[]")) is Skipped.OTHER_KIND


def test_a_book_begins_with_a_snapshot():
    assert one(notification(f"book.{PERPETUAL}.100ms", SNAPSHOT)) == OrderBook(
        symbol=PERPETUAL,
        event_ns=1554373962454_000_000,
        price_exponent=-2,
        quantity_exponent=1,
        first_seq=297217,
        last_seq=297217,
        bid_prices=[504234, 504190],
        bid_quantities=[3, 2],
        ask_prices=[504264],
        ask_quantities=[4],
        snapshot=True,
    )


def test_a_change_says_what_it_follows_and_a_deleted_level_has_no_quantity():
    assert one(notification(f"book.{PERPETUAL}.100ms", CHANGE)) == OrderBook(
        symbol=PERPETUAL,
        event_ns=1554373911330_000_000,
        price_exponent=-2,
        quantity_exponent=0,
        first_seq=297218,
        last_seq=297225,
        bid_prices=[504194, 504234],
        bid_quantities=[0, 0],
        ask_prices=[504264],
        ask_quantities=[50],
        prev_seq=297217,
    )


def test_a_book_without_levels_is_a_book():
    found = one(changed(f"book.{PERPETUAL}.agg2", bids=[], asks=[]))

    assert (found.bid_prices, found.ask_prices, found.snapshot) == ([], [], True)


def test_a_change_that_does_not_say_what_it_follows_is_refused():
    frame = changed(f"book.{PERPETUAL}.agg2", type="change")

    assert refused(frame) == "shape"


def test_a_ticker_tells_all_its_prices():
    frame = notification(f"ticker.{PERPETUAL}.100ms", TICKER)

    assert one(frame) == Ticker(
        symbol=PERPETUAL,
        event_ns=1623060194301_000_000,
        price_exponent=-2,
        quantity_exponent=-1,
        last_seq=0,
        bid_price=3644250,
        bid_quantity=50000,
        ask_price=3644300,
        ask_quantity=1000,
        digest=digest(TICKER.encode()),
        last_price=3645750,
        mark_price=3644651,
        index_price=3644164,
        open_interest=5020975900,
    )


def test_a_quote_is_a_ticker_of_the_best_bid_and_offer_alone():
    found = one(notification(f"quote.{PERPETUAL}", QUOTE))

    assert (found.bid_price, found.ask_price, found.price_exponent) == (391497, 399661, -2)
    assert (found.bid_quantity, found.ask_quantity, found.quantity_exponent) == (40, 50, 0)
    assert found.last_price is found.mark_price is found.index_price is found.open_interest is None


@pytest.mark.parametrize("price", [None, 0.0])
def test_the_empty_side_of_an_option_is_told_as_null_or_as_nothing(price):
    channel = f"ticker.{PERPETUAL}.100ms"
    found = one(changed(channel, best_bid_price=price, best_bid_amount=0.0, last_price=None))

    assert (found.bid_price, found.bid_quantity) == (0, 0)
    assert (found.ask_price, found.ask_quantity) == (3644300, 1000)
    assert found.last_price is None
    assert found.mark_price == 3644651


def test_the_price_of_a_combination_may_be_nothing_or_less():
    channel = f"ticker.{PERPETUAL}.100ms"
    found = one(changed(channel, best_bid_price=-12.5, best_ask_price=0.0))

    assert (found.bid_price, found.bid_quantity) == (-1250, 50000)
    assert (found.ask_price, found.ask_quantity) == (0, 1000)


def test_a_candle_is_never_said_to_be_closed():
    assert one(notification(f"chart.trades.{PERPETUAL}.1", CANDLE)) == Kline(
        symbol=PERPETUAL,
        interval="1m",
        event_ns=0,
        price_exponent=-2,
        quantity_exponent=-8,
        open_ns=1573645080000_000_000,
        close_ns=1573645139999_000_000,
        open=886979,
        high=887031,
        low=878825,
        close=879125,
        volume=5219351,
        closed=False,
        quote_volume=460,
        quote_exponent=0,
        digest=digest(CANDLE.encode()),
    )


def test_a_candle_of_a_day_lasts_a_day():
    found = one(notification(f"chart.trades.{PERPETUAL}.1D", CANDLE))

    assert found.interval == "1d"
    assert found.close_ns - found.open_ns == (86_400_000 - 1) * 1_000_000


def test_a_volatility_index_is_read():
    assert one(notification("deribit_volatility_index.btc_usd", VOLATILITY)) == VolatilityIndex(
        symbol="btc_usd",
        event_ns=1619777946007_000_000,
        price_exponent=-2,
        value=12936,
        digest=digest(VOLATILITY.encode()),
    )


def test_a_rate_of_eighteen_decimals_stays_exact():
    assert one(notification(f"perpetual.{PERPETUAL}.100ms", INTEREST)) == Funding(
        symbol=PERPETUAL,
        event_ns=1571386349530_000_000,
        price_exponent=-2,
        rate=4999511380756577,
        rate_exponent=-18,
        index_price=787288,
        digest=digest(INTEREST.encode()),
    )


@given(
    st.lists(
        st.tuples(
            st.integers(-(10**9), 10**9), st.integers(-6, 3), st.sampled_from(["f", "e", "E", ""])
        ),
        max_size=6,
    )
)
@example([(5, -4, "e"), (1, -5, "e"), (80000, -1, "f")])
def test_every_way_to_write_a_number_is_exact(numbers):
    values = [Decimal(number).scaleb(exponent) for number, exponent, _ in numbers]
    written = [format(value, form[2]) for value, form in zip(values, numbers, strict=True)]
    levels = ", ".join(f'["new", {price}, {price}]' for price in written)
    data = SNAPSHOT.replace('["new", 5042.64, 4e1]', levels)

    found = one(notification(f"book.{PERPETUAL}.raw", data))

    assert [Decimal(n).scaleb(found.price_exponent) for n in found.ask_prices] == values
    assert [Decimal(n).scaleb(found.quantity_exponent) for n in found.ask_quantities] == values


@pytest.mark.parametrize("channel", SAMPLES)
def test_a_memoryview_is_read_as_bytes_are(channel):
    frame = notification(channel, SAMPLES[channel])

    assert decode(memoryview(frame)) == decode(frame)


@pytest.mark.parametrize(
    "channel",
    [
        f"book.{PERPETUAL}.none.10.100ms",
        f"book.{PERPETUAL}.250ms",
        f"chart.trades.{PERPETUAL}.7",
        f"incremental_ticker.{PERPETUAL}",
        "trades.option.BTC.100ms",
        "deribit_price_index.btc_usd",
        "platform_state",
        "announcements",
    ],
)
def test_channels_that_we_do_not_carry_are_skipped(channel):
    assert one(notification(channel, '{"what": "ever"}')) is Skipped.OTHER_KIND


# Replies


def test_the_reply_to_a_subscription_lists_what_was_taken():
    frame = b"""{"jsonrpc": "2.0", "id": 7, "result": ["book.A.raw", "quote.A"], "usIn": 1}"""

    assert one(frame) == Accepted(7, ("book.A.raw", "quote.A"))


def test_a_subscription_of_which_nothing_was_taken_is_refused():
    assert one(b'{"jsonrpc": "2.0", "id": 7, "result": []}') == Rejected(7, "", "no such channel")


@pytest.mark.parametrize(
    "reply",
    [
        b'{"jsonrpc": "2.0", "id": 0, "result": "ok"}',
        b'{"jsonrpc": "2.0", "id": 0, "result": {"version": "1.2.26"}, "usDiff": 1}',
        b'{"jsonrpc": "2.0", "id": "mine", "result": ["a"]}',
        b'{"jsonrpc": "2.0", "result": null}',
        b'{"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "heartbeat"}}',
    ],
)
def test_other_replies_need_no_words(reply):
    assert one(reply) is Skipped.REPLY


def test_the_venue_wants_an_answer_to_its_question_whether_we_are_there():
    found = one(b'{"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}}')

    assert isinstance(found, Demand)
    answer = json.loads(found.answer)
    assert (answer["jsonrpc"], answer["method"]) == ("2.0", "public/test")


def test_an_error_refuses_a_request():
    frame = (
        b'{"jsonrpc": "2.0", "id": 3, "error": {"code": 13778, '
        b'"message": "raw_subscriptions_not_available_for_unauthorized"}, "testnet": false}'
    )

    assert one(frame) == Rejected(3, "13778", "raw_subscriptions_not_available_for_unauthorized")


def test_an_error_that_will_pass_asks_for_another_link_and_gives_no_channel_up():
    frame = b'{"id": 3, "error": {"code": 11051, "message": "system_maintenance"}}'

    assert one(frame) == Farewell("11051 system_maintenance")


def test_an_error_says_what_is_wrong_in_one_line_that_is_not_too_long():
    data = json.dumps({"reason": "must\nbe a list", "param": "x" * 500})
    frame = f'{{"id": null, "error": {{"code": -32602, "message": "Invalid", "data": {data}}}}}'

    found = one(frame.encode())

    assert found.text.startswith('Invalid: {"reason": "must')
    assert len(found.text) == 200
    assert found.text.isprintable()
    assert found.number == 0


# What is wrong


@pytest.mark.parametrize("channel", SAMPLES)
def test_a_field_that_is_missing_is_refused(channel):
    sample = json.loads(SAMPLES[channel])
    rows = sample if isinstance(sample, list) else [sample]
    optional = {
        "tick_direction", "mark_price", "index_price", "prev_change_id", "state", "last_price",
        "settlement_price", "stats", "open_interest", "min_price", "max_price", "funding_8h",
        "current_funding",
    }  # fmt: skip
    for name in set(rows[0]) - optional:
        kept = rows[0].pop(name)

        assert refused(notification(channel, json.dumps(sample))) == "shape"

        rows[0][name] = kept


@pytest.mark.parametrize("channel", SAMPLES)
@pytest.mark.parametrize(
    "value", ['"5042.64"', "true", "[1, 2]", "[]", "{}", '"1,2"', "[[1], 2]", '{"a": 1}']
)
def test_a_price_that_is_no_number_is_refused(channel, value):
    price = {
        "trades": "8950.0",
        "book": "5042.64",
        "ticker": "36442.5",
        "quote": "3914.97",
        "chart": "8869.79",
        "deribit_volatility_index": "129.36",
        "perpetual": "0.004999511380756577",
    }[channel.partition(".")[0]]
    assert SAMPLES[channel].count(price) == 1

    assert refused(notification(channel, SAMPLES[channel].replace(price, value))) == "number"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("1e400", "number"),
        ("-1e-400", "number"),
        ("9" * 5_000, "number"),
        ("NaN", "json"),
        ("Infinity", "json"),
        ("01", "json"),
        ("1.", "json"),
        ("0x10", "json"),
    ],
)
def test_a_number_beyond_all_measure_is_refused(value, reason):
    data = SNAPSHOT.replace("5042.64", value)

    assert refused(notification(f"book.{PERPETUAL}.raw", data)) == reason


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "json"),
        (b"{", "json"),
        (b"[]", "shape"),
        (b"{}", "shape"),
        (b'{"method": "subscription"}', "shape"),
        (b'{"method": "subscription", "params": {"data": {}}}', "shape"),
        (b'{"method": "subscription", "params": {"channel": 7, "data": {}}}', "shape"),
        (b'{"id": 1, "result": [7]}', "shape"),
        (b'{"id": 1, "error": null}', "shape"),
        (b'{"id": 1, "error": {"code": "x", "message": "y"}}', "shape"),
        (b'{"method": "subscription", "params": {"channel": "\xff"}}', "text"),
        (b'{"id": 1, "result": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nesting"),
        (b"[" * 100_000, "shape"),
    ],
)
def test_what_is_no_frame_is_refused(frame, reason):
    assert refused(frame) == reason


@pytest.mark.parametrize("channel", SAMPLES)
def test_data_nested_without_end_are_refused(channel):
    assert refused(notification(channel, '{"x": ' * 100_000 + "1" + "}" * 100_000)) == "nesting"


def test_a_symbol_that_cannot_be_part_of_a_subject_is_refused():
    assert refused(changed(f"quote.{PERPETUAL}", instrument_name="a\x00b")) == "shape"
    assert refused(changed(f"quote.{PERPETUAL}", instrument_name="")) == "shape"
    assert refused(changed(f"quote.{PERPETUAL}", instrument_name="x" * 65)) == "shape"
    assert refused(notification("perpetual.a\\u0001b.raw", INTEREST)) == "shape"


def test_a_time_that_nanoseconds_do_not_reach_is_refused():
    assert refused(changed(f"quote.{PERPETUAL}", timestamp=32503708800000)) == "shape"


def only_known(frame):
    try:
        found = decode(frame)
    except DecodeError:
        return
    assert found
    assert all(isinstance(heard, KINDS) for heard in found)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_our_error(frame):
    only_known(frame)


@given(st.sampled_from(sorted(SAMPLES.items())), st.data())
def test_a_frame_that_was_cut_and_overwritten_is_a_record_or_our_error(sample, data):
    frame = bytearray(notification(*sample))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(frame)))
        end = data.draw(st.integers(start, min(len(frame), start + 8)))
        frame[start:end] = data.draw(st.binary(max_size=8))

    only_known(bytes(frame))


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["snapshot", "change", "delete", "buy", 1e300, 5e-324, -0.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_a_field_of_any_other_kind_is_a_record_or_our_error(channel, data):
    sample = json.loads(SAMPLES[channel])
    row = sample[0] if isinstance(sample, list) else sample
    row[data.draw(st.sampled_from(sorted(row)))] = data.draw(anything)

    only_known(notification(channel, json.dumps(sample)))


def test_a_name_too_long_to_be_remembered_is_refused():
    channel = f"quote.{'X' * 100_000}"
    frame = {"method": "subscription", "params": {"channel": channel, "data": {}}}

    with pytest.raises(DecodeError) as caught:
        decode(json.dumps(frame).encode())

    assert caught.value.reason == "shape"
