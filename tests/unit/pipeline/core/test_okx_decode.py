from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.errors import DecodeError
from pipeline.core.messages import (
    DATA_TYPES,
    Accepted,
    Aggressor,
    Farewell,
    Funding,
    Kline,
    OrderBook,
    Pong,
    Rejected,
    Skipped,
    Ticker,
    Trade,
)
from pipeline.core.venues.okx import Okx
from tests.unit.pipeline.core.anything import json_values

TRADE: dict[str, Any] = {
    "instId": "BTC-USDT", "tradeId": "130639474", "px": "42219.9", "sz": "0.12060306",
    "side": "buy", "ts": "1630048897897", "count": "3", "source": "0", "seqId": 1234,
}  # fmt: skip
TICKER: dict[str, Any] = {
    "instType": "SWAP", "instId": "BTC-USDT", "last": "9999.9", "lastSz": "0.1",
    "askPx": "9999.99", "askSz": "11", "bidPx": "8888.88", "bidSz": "5", "open24h": "9000",
    "high24h": "10000", "low24h": "8888.88", "volCcy24h": "2222", "vol24h": "2222",
    "sodUtc0": "2222", "sodUtc8": "2222", "ts": "1597026383085",
}  # fmt: skip
BOOK: dict[str, Any] = {
    "asks": [["8476.98", "415", "0", "13"], ["8477", "0", "0", "0"]],
    "bids": [["8476.9", "256.5", "0", "12"]],
    "ts": "1597026383085", "checksum": -855196043, "prevSeqId": 123456, "seqId": 123457,
}  # fmt: skip
# As the venue wrote it before 2023.
PLAIN_BOOK = {name: BOOK[name] for name in ("asks", "bids", "ts", "checksum")}
CANDLE = [
    "1597026360000", "8533.02", "8553.74", "8527.17", "8548.26", "45247", "529.5858061",
    "4525000.25", "0",
]  # fmt: skip
FUNDING: dict[str, Any] = {
    "formulaType": "withRate", "fundingRate": "0.0000616430459607", "fundingTime": "1785571200000",
    "instId": "BTC-USDT-SWAP", "instType": "SWAP", "nextFundingRate": "",
    "nextFundingTime": "1785600000000", "settState": "settled", "ts": "1785548167559",
}  # fmt: skip


def frame(channel, *data, symbol="BTC-USDT", **more):
    """Written as the venue does, so that the name of the channel is found where it stands first."""
    arg = {"channel": channel, "instId": symbol}
    return json.dumps({"arg": arg, **more, "data": list(data)}, separators=(",", ":")).encode()


def trade(**changed):
    return frame("trades", TRADE | changed)


def update(**changed):
    return frame("books", BOOK | changed, action="update")


def decode(data):
    (found,) = Okx({}).decode(data)
    return found


def test_a_trade_keeps_every_number_and_says_which_trades_it_sums_up():
    assert decode(trade()) == Trade(
        symbol="BTC-USDT",
        event_ns=1630048897897_000_000,
        price_exponent=-1,
        quantity_exponent=-8,
        trade_id="130639474",
        seq=130639474,
        trade_ns=1630048897897_000_000,
        price=422199,
        quantity=12060306,
        aggressor=Aggressor.BUYER,
        first_seq=130639472,
    )


def test_a_trade_alone_sums_up_nothing():
    alone = {name: TRADE[name] for name in TRADE if name != "count"}

    for found in (decode(trade(count="1")), decode(frame("trades-all", alone))):
        assert isinstance(found, Trade)
        assert (found.seq, found.first_seq) == (130639474, 0)


def test_the_seller_crosses_the_spread_when_the_venue_says_sell():
    found = decode(trade(side="sell"))

    assert isinstance(found, Trade)
    assert found.aggressor is Aggressor.SELLER


def test_a_trade_whose_id_is_no_number_is_known_by_its_id_alone():
    found = decode(trade(tradeId="a-1"))

    assert isinstance(found, Trade)
    assert (found.trade_id, found.seq, found.first_seq) == ("a-1", 0, 0)


def test_several_trades_of_one_frame_come_out_in_its_order():
    found = Okx({}).decode(frame("trades", TRADE, TRADE | {"tradeId": "130639475", "count": "1"}))

    assert [heard.seq for heard in found if isinstance(heard, Trade)] == [130639474, 130639475]


def test_a_ticker_has_both_sides_and_the_last_trade():
    found = decode(frame("tickers", TICKER))

    assert isinstance(found, Ticker)
    assert found == Ticker(
        symbol="BTC-USDT",
        event_ns=1597026383085_000_000,
        price_exponent=-2,
        quantity_exponent=-1,
        last_seq=0,
        bid_price=888888,
        bid_quantity=50,
        ask_price=999999,
        ask_quantity=110,
        last_price=999990,
        last_quantity=1,
        digest=found.digest,
    )
    assert found.digest != decode(frame("tickers", TICKER | {"bidSz": "6"})).digest


def test_an_empty_side_of_a_ticker_is_zero_and_what_never_happened_is_none():
    found = decode(
        frame("tickers", TICKER | dict.fromkeys(("bidPx", "bidSz", "last", "lastSz"), ""))
    )

    assert isinstance(found, Ticker)
    assert (found.bid_price, found.bid_quantity) == (0, 0)
    assert found.last_price is None
    assert found.last_quantity is None


def test_an_update_of_a_book_keeps_numbers_texts_and_sequence():
    assert decode(update()) == OrderBook(
        symbol="BTC-USDT",
        event_ns=1597026383085_000_000,
        price_exponent=-2,
        quantity_exponent=-1,
        first_seq=123457,
        last_seq=123457,
        prev_seq=123456,
        bid_prices=[847690],
        bid_quantities=[2565],
        ask_prices=[847698, 847700],
        ask_quantities=[4150, 0],
        checksum=-855196043,
        bid_texts=[("8476.9", "256.5")],
        ask_texts=[("8476.98", "415"), ("8477", "0")],
    )


def test_a_snapshot_follows_nothing():
    found = decode(frame("books", BOOK | {"prevSeqId": -1}, action="snapshot"))

    assert isinstance(found, OrderBook)
    assert (found.snapshot, found.first_seq, found.last_seq, found.prev_seq) == (
        True, 0, 123457, -1,
    )  # fmt: skip


@pytest.mark.parametrize("checksum", [{"checksum": 0}, {}])
def test_a_checksum_that_is_none_is_none(checksum):
    without = {name: BOOK[name] for name in BOOK if name != "checksum"}

    found = decode(frame("books", without | checksum, action="update"))

    assert isinstance(found, OrderBook)
    assert (found.checksum, found.bid_texts, found.ask_texts) == (None, None, None)


def test_a_book_without_numbers_is_told_by_what_it_says():
    found = decode(frame("books", PLAIN_BOOK, action="update"))
    other = decode(frame("books", PLAIN_BOOK | {"bids": []}, action="update"))

    assert isinstance(found, OrderBook)
    assert isinstance(other, OrderBook)
    assert (found.first_seq, found.last_seq, found.prev_seq) == (0, 0, -1)
    assert found.digest != other.digest != 0


def test_an_update_after_which_the_venue_counts_anew_is_the_first_of_its_count():
    found = decode(update(seqId=3, prevSeqId=15))

    assert isinstance(found, OrderBook)
    assert (found.first_seq, found.last_seq, found.prev_seq) == (3, 3, 15)


@pytest.mark.parametrize("channel", ["books5", "bbo-tbt"])
def test_a_small_book_is_all_of_it_each_time(channel):
    small = {name: BOOK[name] for name in ("asks", "bids", "ts", "seqId")}

    found = decode(frame(channel, small))

    assert isinstance(found, OrderBook)
    assert (found.snapshot, found.last_seq, found.checksum) == (True, 123457, None)


@pytest.mark.parametrize("channel", ["books-l2-tbt", "books50-l2-tbt"])
def test_the_faster_books_change_as_the_others_do(channel):
    assert decode(frame(channel, BOOK, action="update")) == decode(update())


def test_a_candle_of_the_spot_market_has_its_volume_in_base_and_in_quote_units():
    found = decode(frame("candle1m", CANDLE))

    assert isinstance(found, Kline)
    assert found == Kline(
        symbol="BTC-USDT",
        interval="1m",
        event_ns=0,
        price_exponent=-2,
        quantity_exponent=0,
        open_ns=1597026360000_000_000,
        close_ns=1597026419999_000_000,
        open=853302,
        high=855374,
        low=852717,
        close=854826,
        volume=45247,
        closed=False,
        quote_volume=452500025,
        quote_exponent=-2,
        digest=found.digest,
    )


def test_a_candle_of_contracts_has_its_volume_in_base_units_too():
    found = decode(frame("candle1H", CANDLE, symbol="BTC-USDT-SWAP"))

    assert isinstance(found, Kline)
    assert found.interval == "1h"
    assert Decimal(found.volume).scaleb(found.quantity_exponent) == Decimal("529.5858061")


def test_a_candle_is_closed_when_the_venue_confirms_it():
    found = decode(frame("candle1Dutc", [*CANDLE[:8], "1"]))

    assert isinstance(found, Kline)
    assert (found.interval, found.closed) == ("1d", True)


def test_a_candle_as_it_was_before_2023_is_read():
    found = decode(frame("candle1m", CANDLE[:7]))

    assert isinstance(found, Kline)
    assert (found.volume, found.quote_volume, found.closed) == (45247, None, False)


def test_a_funding_rate_says_when_it_is_paid():
    found = decode(frame("funding-rate", FUNDING, symbol="BTC-USDT-SWAP"))

    assert isinstance(found, Funding)
    assert found == Funding(
        symbol="BTC-USDT-SWAP",
        event_ns=1785548167559_000_000,
        price_exponent=0,
        rate=616430459607,
        rate_exponent=-16,
        next_ns=1785571200000_000_000,
        digest=found.digest,
    )


def test_the_exponent_of_a_symbol_stays_whatever_a_message_happens_to_hold():
    okx = Okx({})
    okx.decode(update())

    (found,) = okx.decode(update(asks=[["8477", "1", "0", "1"]], bids=[]))

    assert isinstance(found, OrderBook)
    assert (found.ask_prices, found.price_exponent) == ([847700], -2)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (b"pong", Pong()),
        (
            b'{"id":"7","event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"}}',
            Accepted(7, ("books:BTC-USDT",)),
        ),
        (b'{"event":"subscribe","arg":{"channel":"x"}}', Accepted(0, ("x:",))),
        (b'{"event":"unsubscribe","arg":{"channel":"books"}}', Skipped.REPLY),
        (b'{"event":"channel-conn-count","channel":"x","connCount":"2"}', Skipped.REPLY),
        (
            b'{"id":"7","event":"error","code":"60012","msg":"Invalid request"}',
            Rejected(7, "60012", "Invalid request"),
        ),
        (
            b'{"event":"error","code":"64003","msg":"No","arg":{"channel":"a","instId":"B"}}',
            Rejected(0, "64003", "No", ("a:B",)),
        ),
        (
            (b'{"event":"error","code":"60018","msg":"Wrong URL or channel:candle1m,instId:A-B'
            b' doesn\'t exist."}'),
            Rejected(
                0, "60018", "Wrong URL or channel:candle1m,instId:A-B doesn't exist.",
                ("candle1m:A-B",),
            ),
        ),
        (b'{"event":"notice","code":"64008","msg":"Soon"}', Farewell("OKX upgrades its service")),
        (
            b'{"event":"error","code":"60014","msg":"Requests too frequent"}',
            Farewell("60014 Requests too frequent"),
        ),
        (b'{"event":"notice","code":"1","msg":"Hm"}', Skipped.REPLY),
        (frame("mark-price", {"markPx": "1"}), Skipped.OTHER_KIND),
        (frame("candle1D", CANDLE), Skipped.OTHER_KIND),
        (b'{"arg":{"channel":"status"},"data":[{}]}', Skipped.OTHER_KIND),
    ],
)  # fmt: skip
def test_what_is_not_about_the_market_is_told_apart(said, meant):
    assert decode(said) == meant


def test_the_words_of_a_refusal_are_shortened_to_one_line():
    said = json.dumps({"event": "error", "code": "1", "msg": "a\r\nb" * 1_000}).encode()

    found = decode(said)

    assert isinstance(found, Rejected)
    assert len(found.text) <= 200
    assert found.text.isprintable()


FRAMES = [
    (trade(), TRADE, "trades", {}),
    (frame("tickers", TICKER), TICKER, "tickers", {}),
    (update(), BOOK, "books", {"action": "update"}),
    (frame("funding-rate", FUNDING), FUNDING, "funding-rate", {}),
]


@pytest.mark.parametrize("data", [*(one[0] for one in FRAMES), frame("candle1m", CANDLE)])
def test_bytes_are_read_alike_however_they_come(data):
    spaced = json.dumps(json.loads(data), indent=1).encode()
    moved = json.dumps(dict(reversed(json.loads(data).items())), separators=(",", ":")).encode()

    assert decode(memoryview(data)) == decode(data)
    for other in (decode(spaced), decode(moved)):
        told = {name: getattr(decode(data), name) for name in decode(data).__struct_fields__}
        assert all(getattr(other, name) == told[name] for name in told if name != "digest")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"", "json"),
        (b"ping", "json"),
        (b"{", "json"),
        (b"\xef\xbb\xbf{}", "json"),
        (trade() + b"x", "json"),
        (trade()[:-1], "json"),
        (b"[]", "shape"),
        (b"{}", "shape"),
        (b'{"event":""}', "shape"),
        (b'{"data":[]}', "json"),
        (b'{"arg":[],"data":[1]}', "shape"),
        (b'{"arg":{"channel":"trades","instId":"A"}}', "shape"),
        (b'{"event":"subscribe","arg":7}', "shape"),
        (frame("trades"), "shape"),
        (frame("trades", TRADE, symbol=""), "shape"),
        (frame("tickers", TICKER, symbol="A\r\nB"), "shape"),
        (frame("tickers", TICKER, symbol="A" * 65), "shape"),
        (b'{"x":' + b"[" * 100_000, "nesting"),
        (b'{"arg":{"channel":"books","instId":' + b"[" * 100_000, "shape"),
        (b'{"arg":{"channel":"books","instId":"A","x":' + b"[" * 100_000, "nesting"),
        (trade().replace(b"BTC", b"\xff\xff\xff"), "text"),
        (trade().replace(b'"42219.9"', b"NaN"), "json"),
        (trade().replace(b'"42219.9"', b"1e400"), "shape"),
        (trade(px=1.5), "shape"),
        (trade(px="nan"), "number"),
        (trade(px="1e400"), "number"),
        (trade(px="1_0"), "number"),
        (trade(px="\u0661"), "number"),
        (trade(px="9" * 20), "number"),
        (trade(px=""), "number"),
        (trade(side="both"), "shape"),
        (trade(ts="-1"), "shape"),
        (trade(ts="nan"), "shape"),
        (trade(ts=str(2**63)), "shape"),
        (trade(ts=""), "shape"),
        (trade(count="0"), "shape"),
        (trade(count="130639475"), "shape"),
        (trade(tradeId=""), "shape"),
        (trade(tradeId="a\r\nb"), "shape"),
        (frame("trades", {name: TRADE[name] for name in TRADE if name != "sz"}), "shape"),
        (frame("books", BOOK), "shape"),
        (frame("books", BOOK, action="partial"), "shape"),
        (frame("books5", BOOK, action="update"), "shape"),
        (update(bids=[["1"]]), "shape"),
        (update(bids=[[1, 2]]), "shape"),
        (update(bids=["12"]), "shape"),
        (update(seqId=-1), "shape"),
        (update(seqId=2**63), "shape"),
        (update(prevSeqId=-1), "shape"),
        (update(prevSeqId=None), "shape"),
        (update(seqId=None), "shape"),
        (update(checksum=2**31), "shape"),
        (frame("candle1m", CANDLE[:6]), "shape"),
        (frame("candle1m", ["1" * 20, *CANDLE[1:]]), "shape"),
        (frame("funding-rate", FUNDING | {"fundingRate": ""}), "number"),
        (
            (
                b'{"arg":{"channel":"books","instId":"A"},"arg":{"channel":"trades","instId":"A"},'
                b'"action":"update","data":[{"asks":[],"bids":[],"ts":"1"}]}'
            ),
            "shape",
        ),
    ],
)
def test_bad_frames_are_our_error_with_a_reason_to_count_by(bad, reason):
    with pytest.raises(DecodeError) as caught:
        decode(bad)

    assert caught.value.reason == reason


nearly_right = st.sampled_from(FRAMES).flatmap(
    lambda right: st.dictionaries(st.sampled_from(sorted(right[1])), json_values, max_size=3).map(
        lambda changed: frame(right[2], right[1] | changed, **right[3])
    )
)
cut_up = st.tuples(
    st.sampled_from([right[0] for right in FRAMES] + [frame("candle1m", CANDLE)]),
    st.integers(0, 400),
    st.integers(0, 12),
    st.binary(max_size=12),
).map(lambda cut: cut[0][: cut[1]] + cut[3] + cut[0][cut[1] + cut[2] :])
ANSWERS = Accepted | Rejected | Pong | Farewell | Skipped


@given(
    st.one_of(
        st.binary(),
        json_values.map(lambda value: json.dumps(value).encode()),
        nearly_right,
        cut_up,
    )
)
@example(frame("tickers", TICKER, symbol="\ud800"))
@example(b'{"event":"error","msg":"\\ud800"}')
def test_any_bytes_give_a_record_or_our_error(data):
    try:
        found = Okx({}).decode(data)
    except DecodeError:
        return

    assert found
    for heard in found:
        assert type(heard) in DATA_TYPES or isinstance(heard, ANSWERS)
