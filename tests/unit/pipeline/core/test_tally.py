from __future__ import annotations

import pytest

from pipeline.core.expected import Expected
from pipeline.core.tally import Tally
from streams.core.proto.market_pb2 import FLAG_CONTROL, Control, Kline, Trade
from streams.core.templates import STANDARD, scheme

TRADE = Trade(venue="okx", symbol="BTC-USDT", price=5).SerializeToString()
STALE = Trade(
    flags=FLAG_CONTROL, control=Control(kind=Control.KIND_STALE, reason="silent for 600 s")
).SerializeToString()
BTC = Expected("okx", "trade", "BTC-USDT")
ETH = Expected("okx", "trade", "ETH.X")
ANY = Expected("okx", "trade", "*-USDT")
CANDLE = Expected("okx", "kline", "BTC-USDT", "1m")


@pytest.fixture
def tally():
    return Tally(STANDARD)


def test_one_pattern_for_each_type_of_each_venue(tally):
    other = Expected("binance", "trade", "X")

    assert tally.patterns([BTC, ETH, ANY, CANDLE, other]) == [
        "market.binance.*.trade", "market.okx.*.kline.*", "market.okx.*.trade",
    ]  # fmt: skip
    assert Tally(scheme("push")).patterns([BTC]) == ["trade.okx.*"]


def test_what_brought_data_was_not_silent(tally):
    tally.take("market.okx.BTC-USDT.trade", TRADE)
    tally.take("market.okx.BTC-USDT.trade", TRADE)
    tally.take("market.okx.BTC-USDT.kline.5m", Kline(interval="5m").SerializeToString())

    silent = [silence.expected for silence in tally.silences([BTC, ETH, ANY, CANDLE])]

    assert silent == [ETH, CANDLE]
    assert tally.data["market.okx.BTC-USDT.trade"] == 2


def test_a_control_message_ends_no_silence_and_gives_the_reason(tally):
    tally.take("market.okx.BTC-USDT.trade", STALE)
    tally.take("market.okx.BTC-USD.trade", TRADE)

    btc, eth, any_ = tally.silences([BTC, ETH, ANY])

    assert (btc.subject, btc.reason) == ("market.okx.BTC-USDT.trade", "STALE: silent for 600 s")
    assert (eth.subject, eth.reason) == ("market.okx.ETH%2EX.trade", "")
    assert (any_.subject, any_.reason) == ("market.okx.*-USDT.trade", "STALE: silent for 600 s")
    assert "market.okx.BTC-USDT.trade" not in tally.data


def test_what_is_none_of_ours_is_counted_apart(tally):
    tally.take("market.okx.BTC-USDT.trade", b"{\xff")

    assert tally.unreadable == 1
    assert [silence.expected for silence in tally.silences([BTC])] == [BTC]


def test_what_no_symbol_of_a_pattern_can_have_is_not_missed(tally):
    funding = Expected("okx", "funding", "BTC-*")
    spot = "market.okx.BTC-USDT.trade"
    unknown = [silence.expected for silence in tally.silences([funding])]

    tally.take(spot, TRADE)
    of_spot = tally.silences([funding])
    tally.take("market.okx.BTC-USDT-SWAP.trade", TRADE)
    of_swaps = [silence.expected for silence in tally.silences([funding])]

    assert (unknown, of_spot, of_swaps) == ([funding], [], [funding])
