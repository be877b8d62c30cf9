from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DecodeError
from pipeline.core.messages import Aggressor, OrderBook, Trade
from pipeline.core.venues import VENUES
from pipeline.core.venues.venue import Call, Instrument
from tests.unit.pipeline.core.anything import json_values

SPOT, USDM, COINM = "binance", "binance-usdm", "binance-coinm"
ALL = (SPOT, USDM, COINM)


def venue(name=SPOT):
    return VENUES[name]({})


def body(value):
    return json.dumps(value).encode()


def filters(tick, step):
    return [
        {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "1000", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "1000", "stepSize": step},
        {"filterType": "MARKET_LOT_SIZE", "stepSize": "0.5"},
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
    ]


def listed(symbol, tick="0.01000000", step="0.00001000", **more):
    return {
        "symbol": symbol, "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
        "filters": filters(tick, step), **more,
    }  # fmt: skip


PERPETUAL = {"contractType": "PERPETUAL", "deliveryDate": 4133404800000}


@pytest.mark.parametrize(
    ("name", "path", "weight"),
    [
        (SPOT, "/api/v3/exchangeInfo?showPermissionSets=false", 20),
        (USDM, "/fapi/v1/exchangeInfo", 1),
        (COINM, "/dapi/v1/exchangeInfo", 1),
    ],
)
def test_the_symbol_table_is_one_call(name, path, weight):
    assert venue(name).instruments_calls() == [Call(path, weight)]


def test_a_spot_symbol_has_the_decimals_of_its_tick_and_lot():
    assert venue().instruments(body({"symbols": [listed("BTCUSDT")]})) == [
        Instrument("BTCUSDT", "spot", "BTC", "USDT", price_decimals=2, quantity_decimals=5)
    ]


@pytest.mark.parametrize(
    ("step", "decimals"),
    [("0.01000000", 2), ("1.00000000", 0), ("1", 0), ("10", 0), ("0.5", 1), ("0.00000000", -1)],
)
def test_decimals_are_those_of_the_step(step, decimals):
    (found,) = venue().instruments(body({"symbols": [listed("X", tick=step)]}))

    assert found.price_decimals == decimals


def test_a_symbol_without_filters_has_unknown_decimals():
    (found,) = venue().instruments(body({"symbols": [listed("X") | {"filters": []}]}))

    assert (found.price_decimals, found.quantity_decimals) == (-1, -1)


def test_futures_are_perpetual_or_expire():
    table = {
        "symbols": [
            listed("BTCUSDT", "0.10", "0.001", **PERPETUAL),
            listed("TSLAUSDT", "0.01", "0.01", **PERPETUAL | {"contractType": "TRADIFI_PERPETUAL"}),
            listed(
                "BTCUSDT_271231", "0.1", "0.001",
                contractType="CURRENT_QUARTER", deliveryDate=1830240000000,
            ),
        ]
    }  # fmt: skip

    assert venue(USDM).instruments(body(table)) == [
        Instrument("BTCUSDT", "perpetual", "BTC", "USDT", 1, 3),
        Instrument("TSLAUSDT", "perpetual", "BTC", "USDT", 2, 2),
        Instrument("BTCUSDT_271231", "future", "BTC", "USDT", 1, 3, 1830240000000_000_000),
    ]


def test_coin_margined_futures_name_their_status_otherwise():
    kept = listed("BTCUSD_PERP", "0.1", "1", **PERPETUAL, contractStatus="TRADING")
    gone = listed("BTCUSD_200925", "0.1", "1", **PERPETUAL, contractStatus="DELIVERED")
    del kept["status"], gone["status"]

    found = venue(COINM).instruments(body({"symbols": [kept, gone]}))

    assert [(each.symbol, each.kind) for each in found] == [("BTCUSD_PERP", "perpetual")]


@pytest.mark.parametrize(
    "status", ["BREAK", "HALT", "PENDING_TRADING", "CANCEL_ONLY", "END_OF_DAY"]
)
def test_what_is_not_traded_now_is_left_out(status):
    assert venue().instruments(body({"symbols": [listed("X") | {"status": status}]})) == []


@pytest.mark.parametrize(
    ("name", "path", "weight"),
    [
        (SPOT, "/api/v3/depth?symbol=BTCUSDT&limit=1000", 50),
        (USDM, "/fapi/v1/depth?symbol=BTCUSDT&limit=1000", 20),
        (COINM, "/dapi/v1/depth?symbol=BTCUSDT&limit=1000", 20),
    ],
)
def test_a_snapshot_is_one_call(name, path, weight):
    assert venue(name).snapshot_call("BTCUSDT") == Call(path, weight)


def test_a_symbol_outside_ascii_is_quoted():
    call = venue().snapshot_call("币USDT")

    assert call.path == "/api/v3/depth?symbol=%E5%B8%81USDT&limit=1000"


DEPTH = {
    "lastUpdateId": 1027024,
    "bids": [["4.00000000", "431.00000000"]],
    "asks": [["4.00000200", "12.00000000"], ["4.10000000", "1.50000000"]],
}
FUTURES_DEPTH = DEPTH | {"E": 1589436922972, "T": 1589436922959}


@pytest.mark.parametrize(
    ("name", "answer", "event_ns"),
    [(SPOT, DEPTH, 0), (USDM, FUTURES_DEPTH, 1589436922972_000_000)],
)
def test_a_snapshot_keeps_every_level(name, answer, event_ns):
    assert venue(name).snapshot("BNBBTC", body(answer)) == OrderBook(
        symbol="BNBBTC",
        event_ns=event_ns,
        price_exponent=-8,
        quantity_exponent=-8,
        first_seq=1027024,
        last_seq=1027024,
        bid_prices=[400000000],
        bid_quantities=[43100000000],
        ask_prices=[400000200, 410000000],
        ask_quantities=[1200000000, 150000000],
        snapshot=True,
    )


def test_an_empty_book_is_a_book():
    found = venue().snapshot("X", body({"lastUpdateId": 3, "bids": [], "asks": []}))

    assert (found.last_seq, found.bid_prices, found.ask_prices) == (3, [], [])


def heard(made, event, **data):
    """Return the trade that the venue heard last."""
    fields = {"E": 5, "s": "BNBBTC", "p": "1", "q": "1", "T": 5, "m": True}
    (found,) = made.decode(body({"e": event, **fields, **data}))
    assert isinstance(found, Trade)
    return found


def test_missed_trades_are_asked_for_by_number():
    made = venue()
    last = heard(made, "trade", t=100)

    assert made.trades_call("BNBBTC", last) == Call(
        "/api/v3/historicalTrades?symbol=BNBBTC&fromId=101&limit=1000", 25
    )
    assert made.trades("BNBBTC", body([RAW])) == [
        Trade(
            "BNBBTC", 1499865549590_000_000, -8, -8, "28457", 28457, 1499865549590_000_000,
            400000100, 1200000000, Aggressor.SELLER,
        )
    ]  # fmt: skip


RAW = {
    "id": 28457, "price": "4.00000100", "qty": "12.00000000", "quoteQty": "48.000012",
    "time": 1499865549590, "isBuyerMaker": True, "isBestMatch": True,
}  # fmt: skip
AGGREGATE = {
    "a": 26129, "p": "0.01633102", "q": "4.70443515", "f": 27781, "l": 27781,
    "T": 1498793709153, "m": False, "M": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "prefix", "weight"),
    [(SPOT, "/api/v3", 4), (USDM, "/fapi/v1", 20), (COINM, "/dapi/v1", 20)],
)
def test_missed_aggregate_trades_are_asked_for_as_such(name, prefix, weight):
    made = venue(name)
    last = heard(made, "aggTrade", a=100)

    assert made.trades_call("BNBBTC", last) == Call(
        f"{prefix}/aggTrades?symbol=BNBBTC&fromId=101&limit=1000", weight
    )
    assert made.trades("BNBBTC", body([AGGREGATE])) == [
        Trade(
            "BNBBTC", 1498793709153_000_000, -8, -8, "26129", 26129, 1498793709153_000_000,
            1633102, 470443515, Aggressor.BUYER,
        )
    ]  # fmt: skip


def test_each_symbol_s_trades_are_asked_for_as_they_were_heard():
    made = venue()
    fills, sums = heard(made, "trade", t=7), heard(made, "aggTrade", a=3, s="ETHBTC")

    assert "historicalTrades" in made.trades_call("BNBBTC", fills).path
    assert "aggTrades" in made.trades_call("ETHBTC", sums).path


@pytest.mark.parametrize("name", [USDM, COINM])
def test_raw_trades_of_the_futures_need_a_key_and_are_not_asked_for(name):
    made = venue(name)

    assert made.trades_call("BNBBTC", heard(made, "trade", t=7, X="MARKET")) is None


def test_no_trades_are_no_trades():
    assert venue().trades("X", b"[]") == []


READERS = ["instruments", "snapshot", "trades"]


def read(made, reader, data):
    return made.instruments(data) if reader == "instruments" else getattr(made, reader)("X", data)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "bad",
    [
        b"", b"{", b"null", b"<html>", b'{"code":-1121,"msg":"Invalid symbol."}', b"\xff",
        b'{"a":' + b"[" * 100_000, b"[1]", b'[{"id":"x"}]', body({"symbols": [{"symbol": "X"}]}),
        body(DEPTH | {"lastUpdateId": -1}), body(DEPTH | {"bids": [["NaN", "1"]]}),
        body(DEPTH | {"asks": [["1e400", "1"]]}), body([RAW | {"price": 1}]),
        body([AGGREGATE | {"p": ""}]), body({"symbols": [listed("A\nB")]}),
        body({"symbols": [listed("A", tick="x")]}),
    ],
)  # fmt: skip
def test_another_answer_is_our_error(name, reader, bad):
    with pytest.raises(DecodeError):
        read(venue(name), reader, bad)


@st.composite
def nearly_right(draw):
    right = draw(st.sampled_from([FUTURES_DEPTH, RAW, AGGREGATE, listed("BTCUSDT", **PERPETUAL)]))
    changed = right | draw(st.dictionaries(st.sampled_from(sorted(right)), json_values, max_size=3))
    for name in draw(st.sets(st.sampled_from(sorted(right)), max_size=1)):
        del changed[name]
    return body(draw(st.sampled_from([changed, [changed], {"symbols": [changed]}])))


@given(st.binary() | nearly_right(), st.sampled_from(ALL), st.sampled_from(READERS))
def test_any_answer_is_read_or_is_our_error(data, name, reader):
    try:
        found = read(venue(name), reader, data)
    except DecodeError:
        return

    assert isinstance(found, OrderBook | list)
