from __future__ import annotations

import contextlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import BadOption, DecodeError
from pipeline.core.messages import Aggressor, OrderBook, Trade
from pipeline.core.venues.deribit import Deribit
from pipeline.core.venues.venue import Channel, Instrument, Recovery, Step
from streams.core.templates import TYPES

VENUE = Deribit({})
OPTION = "BTC-27DEC24-100000-C"


def names(channels):
    return [channel.name for channel in channels]


# Channels


def test_every_type_of_data_has_its_channel():
    found = VENUE.channels(sorted(TYPES), ["BTC-PERPETUAL", "btc_usd"], ["1m", "1d"])

    assert found == [
        Channel("perpetual.BTC-PERPETUAL.100ms", "funding", "BTC-PERPETUAL"),
        Channel("chart.trades.BTC-PERPETUAL.1", "kline", "BTC-PERPETUAL", "1m"),
        Channel("chart.trades.BTC-PERPETUAL.1D", "kline", "BTC-PERPETUAL", "1d"),
        Channel("book.BTC-PERPETUAL.100ms", "orderbook", "BTC-PERPETUAL"),
        Channel("ticker.BTC-PERPETUAL.100ms", "ticker", "BTC-PERPETUAL"),
        Channel("trades.BTC-PERPETUAL.100ms", "trade", "BTC-PERPETUAL"),
        Channel("deribit_volatility_index.btc_usd", "volatility_index", "btc_usd"),
    ]


def test_only_perpetual_contracts_pay_funding():
    found = VENUE.channels(["funding"], [OPTION, "BTC_USDC", "ETH_USDC-PERPETUAL"], [])

    assert names(found) == ["perpetual.ETH_USDC-PERPETUAL.100ms"]


def test_options_choose_the_speed_and_the_kind_of_ticker():
    venue = Deribit({"speed": "raw", "ticker": "quote"})

    found = venue.channels(["trade", "orderbook", "ticker"], [OPTION], [])

    assert names(found) == [f"trades.{OPTION}.raw", f"book.{OPTION}.raw", f"quote.{OPTION}"]


def test_a_channel_that_is_named_twice_is_subscribed_to_once():
    assert len(VENUE.channels(["trade", "trade"], [OPTION, OPTION], [])) == 1


@pytest.mark.parametrize("options", [{"speed": "fast"}, {"pace": "raw"}, {"ticker": ""}])
def test_an_option_that_does_not_exist_is_refused(options):
    with pytest.raises(BadOption) as caught:
        Deribit(options)

    assert caught.value.field in options


@pytest.mark.parametrize(
    ("types", "symbols", "intervals", "field"),
    [
        (["candle"], [OPTION], [], "types"),
        (["kline"], [OPTION], ["4h"], "intervals"),
        (["trade"], ["BTC.PERPETUAL"], [], "symbols"),
        (["trade"], ["BTC-*"], [], "symbols"),
        (["trade"], [""], [], "symbols"),
    ],
)
def test_what_the_venue_cannot_have_is_refused_by_field(types, symbols, intervals, field):
    with pytest.raises(BadOption) as caught:
        VENUE.channels(types, symbols, intervals)

    assert caught.value.field == field


def test_intervals_matter_to_candles_only():
    assert names(VENUE.channels(["trade"], [OPTION], ["4h"])) == [f"trades.{OPTION}.100ms"]


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (Deribit.websocket_url, "wss://www.deribit.com/ws/api/v2"),
        ("wss://test.deribit.com/", "wss://test.deribit.com/ws/api/v2"),
        ("ws://127.0.0.1:8080/ws/api/v2", "ws://127.0.0.1:8080/ws/api/v2"),
        ("ws://proxy/deribit?key=1", "ws://proxy/deribit?key=1"),
    ],
)
def test_the_path_is_the_venues_where_none_is_given(endpoint, url):
    assert VENUE.link_url(endpoint) == url
    assert VENUE.link_url(endpoint, Channel("quote.A", "ticker", "A")) == url
    assert VENUE.channels_in(url) == []


def test_requests_are_json_rpc():
    channels = VENUE.channels(["trade", "orderbook"], [OPTION], [])
    wanted: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": 5,
        "method": "public/subscribe",
        "params": {"channels": [f"trades.{OPTION}.100ms", f"book.{OPTION}.100ms"]},
    }

    assert json.loads(VENUE.subscribe(channels, 5)) == wanted
    wanted["method"] = "public/unsubscribe"
    assert json.loads(VENUE.unsubscribe(channels, 5)) == wanted


def test_a_link_opens_with_the_wish_for_heartbeats():
    (message,) = VENUE.opening()

    asked = json.loads(message)
    assert asked["method"] == "public/set_heartbeat"
    assert asked["params"]["interval"] >= 10


# Books


def book(last_seq, prev_seq=-1, *, snapshot=False):
    return OrderBook("A", 1, 0, 0, last_seq, last_seq, [], [], [], [], prev_seq, snapshot)


@pytest.mark.parametrize(
    ("last_seq", "prev_seq", "step"),
    [
        (107, 100, Step.NEXT),
        (107, 93, Step.NEXT),  # overlaps: as another link gathered it
        (100, 93, Step.OLD),
        (93, 90, Step.OLD),
        (107, 101, Step.GAP),
    ],
)
def test_the_chain_of_change_ids_says_how_a_change_stands(last_seq, prev_seq, step):
    change = book(last_seq, prev_seq)

    assert VENUE.joins(book(100, snapshot=True), change) is step
    assert VENUE.follows(100, change) is step


def test_a_snapshot_follows_whatever_was_there():
    assert VENUE.follows(100, book(90, snapshot=True)) is Step.NEXT


def test_a_book_recovers_by_a_new_subscription():
    assert VENUE.recovery is Recovery.RESUBSCRIBE
    assert VENUE.snapshot_call(OPTION) is None


# REST

ROW: dict[str, Any] = {
    "instrument_name": OPTION, "kind": "option", "base_currency": "BTC", "quote_currency": "BTC",
    "counter_currency": "USD", "tick_size": 0.0005, "min_trade_amount": 0.1, "contract_size": 1.0,
    "settlement_period": "month", "expiration_timestamp": 1735286400000, "is_active": True,
    "price_index": "btc_usd", "tick_size_steps": [{"above_price": 0.005, "tick_size": 0.0001}],
}  # fmt: skip
NEVER = 32503708800000


def table(*rows):
    return json.dumps({"jsonrpc": "2.0", "result": [ROW | row for row in rows]}).encode()


def test_the_symbol_table_is_asked_for_in_one_call():
    (call,) = VENUE.instruments_calls()

    url = urlsplit(call.path)
    assert url.path == "/api/v2/public/get_instruments"
    assert parse_qs(url.query) == {"currency": ["any"], "expired": ["false"]}
    # Of the credits that come back in a minute it takes no more than one in sixty.
    assert call.weight * 60 <= VENUE.limits.weight_per_minute


def test_an_option_has_the_decimals_of_its_finest_tick_and_the_index_its_own_line():
    assert VENUE.instruments(table({})) == [
        Instrument(OPTION, "option", "BTC", "BTC", 4, 1, 1735286400000_000_000),
        Instrument("btc_usd", "index", "BTC", "USD"),
    ]


@pytest.mark.parametrize(
    ("row", "kind", "decimals"),
    [
        ({"kind": "future", "settlement_period": "perpetual", "min_trade_amount": 10.0,
          "contract_size": 10.0, "tick_size": 0.5}, "perpetual", (1, 0)),
        ({"kind": "future", "settlement_period": "week", "min_trade_amount": 10,
          "contract_size": 10, "tick_size": 2.5}, "future", (1, 0)),
        ({"kind": "spot", "settlement_period": "", "min_trade_amount": 0.0001,
          "contract_size": 0.0001, "tick_size": 1.0}, "spot", (0, 4)),
        ({"kind": "future_combo", "tick_size": 1e-05}, "combo", (5, 1)),
    ],
)  # fmt: skip
def test_the_kinds_of_instruments_are_told_apart(row, kind, decimals):
    body = table(
        row | {"tick_size_steps": [], "price_index": "", "expiration_timestamp": 1735286400000}
    )

    (found,) = VENUE.instruments(body)

    assert found.kind == kind
    assert (found.price_decimals, found.quantity_decimals) == decimals
    assert (found.expiry_ns == 0) is (kind in {"perpetual", "spot"})


def test_what_expires_beyond_all_nanoseconds_does_not_expire():
    (found, _) = VENUE.instruments(table({"expiration_timestamp": NEVER}))

    assert found.expiry_ns == 0


def test_what_cannot_be_traded_now_is_left_out():
    assert VENUE.instruments(table({"is_active": False})) == []


AFTER = Trade(OPTION, 1, 0, 0, "48079269", 41, 1, 1, 1, Aggressor.BUYER)


def test_missed_trades_are_asked_for_by_their_number():
    call = VENUE.trades_call(OPTION, AFTER)

    assert call is not None
    url = urlsplit(call.path)
    assert url.path == "/api/v2/public/get_last_trades_by_instrument"
    assert parse_qs(url.query) == {
        "instrument_name": [OPTION], "start_seq": ["42"], "count": ["1000"], "sorting": ["asc"],
    }  # fmt: skip


def answered(*seqs, symbol=OPTION):
    trades = [
        {
            "instrument_name": symbol, "trade_seq": seq, "trade_id": f"4{seq}", "price": 0.0655,
            "amount": 1.5, "timestamp": 1590484512188 + seq, "direction": "buy", "iv": 61.3,
        }
        for seq in seqs
    ]  # fmt: skip
    return json.dumps({"result": {"trades": trades, "has_more": False}}).encode()


def test_missed_trades_come_in_their_order():
    found = VENUE.trades(OPTION, answered(44, 42, 43))

    assert [trade.seq for trade in found] == [42, 43, 44]
    assert found[0] == Trade(
        symbol=OPTION,
        event_ns=1590484512230_000_000,
        price_exponent=-4,
        quantity_exponent=-1,
        trade_id="442",
        seq=42,
        trade_ns=1590484512230_000_000,
        price=655,
        quantity=15,
        aggressor=Aggressor.BUYER,
    )


def test_trades_of_another_instrument_are_refused():
    with pytest.raises(DecodeError):
        VENUE.trades(OPTION, answered(42, symbol="BTC-PERPETUAL"))


@given(st.binary(max_size=100))
def test_any_answer_is_read_or_our_error(body):
    for read in (VENUE.instruments, lambda body: VENUE.trades(OPTION, body)):
        with contextlib.suppress(DecodeError):
            read(body)


anything = st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers())


@given(st.sampled_from(sorted(ROW)), anything)
def test_a_field_of_any_other_kind_is_read_or_our_error(field, value):
    body = msgspec.json.encode({"result": [ROW | {field: value}]})

    try:
        found = VENUE.instruments(body)
    except DecodeError:
        return
    assert all(one.symbol.isprintable() for one in found)
