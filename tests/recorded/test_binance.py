"""
Recorded Binance spot, frame by frame from the decoder to the published message.

Snapshots are asked for and answered as over REST. Beside it the books are kept again by other
means: the standard library's JSON, Decimal, one dict for each side.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from decimal import Decimal

import pytest

from pipeline.core.normalise import BackfillTrades, FetchSnapshot
from pipeline.core.spec import SourceSpec
from pipeline.core.venues import VENUES
from streams.core.proto.market_pb2 import FLAG_SNAPSHOT
from tests.recorded.consumer import Consumer, received

pytestmark = pytest.mark.recorded

SPEC = SourceSpec(
    source_id="binance", protocol="websocket", venue="binance",
    endpoint="ws://127.0.0.1", rest_endpoint="http://127.0.0.1",
)  # fmt: skip
SYMBOLS = ("NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR")


@pytest.fixture(scope="module")
def frames(recorded_data):
    return received(recorded_data / "cryptofeed" / "BINANCE.ws.1.0")


@pytest.fixture(scope="module")
def answers(recorded_data):
    """Return the REST snapshot of each symbol."""
    lines = (recorded_data / "cryptofeed" / "BINANCE.http.0.0").read_text().splitlines()
    asked = re.compile(
        r"https://api\.binance\.com/api/v3/depth\?symbol=(\w+)&limit=1000 -> [\d.]+: "
    )
    found = [(asked.match(line), line) for line in lines]
    return {match[1]: line[match.end() :].encode() for match, line in found if match}


class Books:
    """The books of all symbols as frames and snapshots tell them, kept the slow way."""

    def __init__(self):
        self.sides = {}
        self.numbers = {}

    def take(self, symbol, answer):
        told = json.loads(answer)
        self.numbers[symbol] = told["lastUpdateId"]
        self.sides[symbol] = {side: levels(told[side]) for side in ("bids", "asks")}

    def hear(self, frame):
        """Apply an update; return its symbol, or None for other frames and what is known."""
        data = json.loads(frame)["data"]
        if data.get("e") != "depthUpdate" or data["u"] <= self.numbers[data["s"]]:
            return None
        symbol = data["s"]
        assert data["U"] <= self.numbers[symbol] + 1
        self.numbers[symbol] = data["u"]
        for side, told in (("bids", data["b"]), ("asks", data["a"])):
            self.sides[symbol][side] |= levels(told)
            for price, quantity in levels(told).items():
                if not quantity:
                    del self.sides[symbol][side][price]
        return symbol

    def as_answer(self, symbol):
        """Return what REST would say of the book as it is now."""
        sides = {
            side: [[f"{price:f}", f"{quantity:f}"] for price, quantity in told.items()]
            for side, told in self.sides[symbol].items()
        }
        return json.dumps({"lastUpdateId": self.numbers[symbol], **sides}).encode()


def levels(told):
    return {Decimal(price): Decimal(quantity) for price, quantity in told}


class Asking(Consumer):
    """Also sees what is asked for by REST, and answers."""

    def __init__(self):
        super().__init__(SPEC)
        self.unanswered = []

    def wanted(self):
        wants = list(self.stages.wants)
        self.stages.wants.clear()
        return wants

    def answer(self, symbol, body, received_ns):
        """Take the answer to a call for a snapshot."""
        stages = self.stages
        snapshot = stages.venue.snapshot(symbol, body)
        stages.publish(stages.normaliser.snapshot(symbol, snapshot, received_ns))
        self.read()


def replay(frames, answers, lost=()):
    """
    Return (slow books, consumer) after all frames but the lost ones, compared at each.

    The first snapshot of every book is answered at once, later ones never.
    """
    books, consumer = Books(), Asking()
    for symbol, body in answers.items():
        books.take(symbol, body)
    broken = None
    for index, (received_ns, frame) in enumerate(frames):
        symbol = books.hear(frame)
        if index in lost:
            broken = symbol
            continue
        consumer.hear(received_ns, frame)
        for want in consumer.wanted():
            assert isinstance(want, FetchSnapshot)
            if want.symbol == broken:
                consumer.unanswered.append(want)
            else:
                consumer.answer(want.symbol, answers[want.symbol], received_ns)
        if symbol != broken:
            assert symbol is None or consumer.sides[symbol] == books.sides[symbol]
    return books, consumer


def test_every_frame_is_published_and_every_book_is_right_at_every_update(frames, answers):
    books, consumer = replay(frames, answers)

    # Four snapshots, and of the 177 updates the 172 that a snapshot did not hold already.
    assert consumer.numbers("orderbook") == {
        "NKNUSDT": 150, "LRCBTC": 14, "BLZETH": 10, "RUNEEUR": 2,
    }  # fmt: skip
    assert consumer.numbers("orderbook").total() == 176
    assert consumer.numbers("ticker").total() == 84
    assert consumer.numbers("trade").total() == 2
    assert consumer.numbers("kline").total() == 2
    assert consumer.sides == books.sides
    assert set(books.sides) == set(SYMBOLS)
    assert consumer.controls == []
    assert not consumer.stages.undecodable
    assert not consumer.stages.ignored
    for symbol in SYMBOLS:
        first, *others = consumer.messages["orderbook", symbol]
        assert first.flags == FLAG_SNAPSHOT
        assert {message.flags for message in others} <= {0}
        told = [message.local_seq for message in (first, *others)]
        assert told == list(range(1, len(told) + 1))


def exactly(number, exponent):
    return Decimal(number).scaleb(exponent)


def test_every_number_of_every_other_frame_is_exact(frames):
    checked: Counter[str] = Counter()
    for received_ns, frame in frames:
        consumer, data = Asking(), json.loads(frame)["data"]
        if data.get("e") == "depthUpdate":
            continue
        consumer.hear(received_ns, frame)
        (((token, symbol), (message,)),) = consumer.messages.items()
        SAYS[token](message, data)
        assert symbol == data["s"]
        assert message.event_ns == data.get("E", 0) * 10**6
        assert message.received_ns == received_ns
        checked[token] += 1

    assert checked == {"ticker": 84, "trade": 2, "kline": 2}


def says_ticker(message, data):
    assert message.last_seq == data["u"]
    for name, theirs in (("bid_price", "b"), ("ask_price", "a")):
        assert exactly(getattr(message, name), message.price_exponent) == Decimal(data[theirs])
    for name, theirs in (("bid_quantity", "B"), ("ask_quantity", "A")):
        assert exactly(getattr(message, name), message.quantity_exponent) == Decimal(data[theirs])


def says_trade(message, data):
    assert message.trade_id == str(data["a"])
    assert message.trade_ns == data["T"] * 10**6
    assert exactly(message.price, message.price_exponent) == Decimal(data["p"])
    assert exactly(message.quantity, message.quantity_exponent) == Decimal(data["q"])
    assert message.aggressor == (2 if data["m"] else 1)


def says_kline(message, data):
    candle = data["k"]
    for name, theirs in (("open", "o"), ("high", "h"), ("low", "l"), ("close", "c")):
        assert exactly(getattr(message, name), message.price_exponent) == Decimal(candle[theirs])
    for name, theirs in (("volume", "v"), ("taker_volume", "V")):
        assert exactly(getattr(message, name), message.quantity_exponent) == Decimal(candle[theirs])
    assert exactly(message.quote_volume, message.quote_exponent) == Decimal(candle["q"])
    assert (message.interval, message.trades, message.closed) == ("1m", candle["n"], candle["x"])
    assert (message.open_ns, message.close_ns) == (candle["t"] * 10**6, candle["T"] * 10**6)


SAYS = {"ticker": says_ticker, "trade": says_trade, "kline": says_kline}


def lossy(frames, answers):
    """Return each update whose loss shows, because another one of its book follows: its index."""
    books = Books()
    for symbol, body in answers.items():
        books.take(symbol, body)
    last: dict[str, int] = {}
    found: list[int] = []
    for index, (_, frame) in enumerate(frames):
        if symbol := books.hear(frame):
            if symbol in last:
                found.append(last[symbol])
            last[symbol] = index
    return found


def test_one_lost_update_makes_one_gap_and_one_call_for_that_book_alone(frames, answers):
    _, whole = replay(frames, answers)
    losses = lossy(frames, answers)
    assert len(losses) == 172 - len(SYMBOLS)

    for lost in losses[::8]:
        symbol = json.loads(frames[lost][1])["data"]["s"]
        books, consumer = replay(frames, answers, lost={lost})

        assert consumer.controls == [(symbol, "KIND_GAP")]
        assert [want.symbol for want in consumer.unanswered] == [symbol]
        before = [m for m in whole.messages["orderbook", symbol] if m.received_ns < frames[lost][0]]
        assert consumer.messages["orderbook", symbol] == before
        assert consumer.but(symbol) == whole.but(symbol)

        # The answer makes it whole.
        consumer.answer(symbol, books.as_answer(symbol), frames[-1][0])

        assert consumer.controls[1:] == [(symbol, "KIND_RESYNC")]
        assert consumer.sides == books.sides
        assert consumer.messages["orderbook", symbol][len(before)].flags == FLAG_SNAPSHOT
        assert consumer.wanted() == []


def test_a_snapshot_older_than_what_is_held_is_asked_for_again(frames, answers):
    lost = 40
    symbol = json.loads(frames[lost][1])["data"]["s"]
    books, consumer = replay(frames, answers, lost={lost})
    (want,) = consumer.unanswered
    published = len(consumer.messages["orderbook", symbol])

    for _ in range(3):
        consumer.answer(symbol, answers[symbol], frames[-1][0])
        # Later and later: it is the attempts that make the pauses.
        (again,) = consumer.wanted()
        assert again == FetchSnapshot(symbol, want.attempt + 1)
        want = again

    assert len(consumer.messages["orderbook", symbol]) == published
    assert consumer.controls == [(symbol, "KIND_GAP")]
    consumer.answer(symbol, books.as_answer(symbol), frames[-1][0])
    assert consumer.sides == books.sides
    assert consumer.controls == [(symbol, "KIND_GAP"), (symbol, "KIND_RESYNC")]


def test_what_was_held_back_is_published_after_a_snapshot_of_its_middle(frames, answers):
    lost, between = 40, 60
    symbol = json.loads(frames[lost][1])["data"]["s"]
    middle = Books()
    for each, body in answers.items():
        middle.take(each, body)
    for _, frame in frames[:between]:
        middle.hear(frame)
    books, consumer = replay(frames, answers, lost={lost})
    before = len(consumer.messages["orderbook", symbol])

    consumer.answer(symbol, middle.as_answer(symbol), frames[-1][0])

    snapshot, *held = consumer.messages["orderbook", symbol][before:]
    updates = [json.loads(frame)["data"] for _, frame in frames[between:]]
    assert snapshot.flags == FLAG_SNAPSHOT
    assert [message.last_seq for message in held] == [
        data["u"] for data in updates if data.get("e") == "depthUpdate" and data["s"] == symbol
    ]
    assert consumer.sides == books.sides


def test_a_lost_trade_is_asked_for(frames):
    trades = [frame for _, frame in frames if b'"e":"aggTrade","E":1633998523963' in frame]
    consumer = Asking()
    (first,) = trades
    later = first.replace(b'"a":15683430', b'"a":15683433')

    consumer.hear(1, first)
    consumer.hear(2, later)

    (want,) = consumer.wanted()
    assert isinstance(want, BackfillTrades)
    call = consumer.stages.venue.trades_call(want.symbol, want.after)
    assert call
    assert call.path == "/api/v3/aggTrades?symbol=NKNUSDT&fromId=15683431&limit=1000"


def test_the_symbol_table_has_every_symbol_with_the_decimals_of_its_steps(recorded_data):
    with gzip.open(recorded_data / "cryptofeed" / "BINANCE.0.gz") as file:
        lines = file.read().splitlines()
    (body,) = (line.partition(b": ")[2] for line in lines if b"/exchangeInfo -> " in line)
    told = {each["symbol"]: each for each in json.loads(body)["symbols"]}

    found = VENUES["binance"]({}).instruments(body)

    assert [each.symbol for each in found] == [
        symbol for symbol, each in told.items() if each["status"] == "TRADING"
    ]
    assert len(found) > 1000
    for each in found:
        filters = {one["filterType"]: one for one in told[each.symbol]["filters"]}
        assert each.price_decimals == decimals(filters["PRICE_FILTER"]["tickSize"])
        assert each.quantity_decimals == decimals(filters["LOT_SIZE"]["stepSize"])
        assert (each.base, each.quote) == (
            told[each.symbol]["baseAsset"], told[each.symbol]["quoteAsset"],
        )  # fmt: skip


def decimals(step):
    exponent = Decimal(step).normalize().as_tuple().exponent
    return max(0, -int(exponent))


def test_six_minutes_of_the_busiest_book_are_right_at_every_update(recorded_data):
    """Every line is there in order, so there is no gap, and one call for a snapshot."""
    books, consumer, wants = Books(), Asking(), []
    early: list[bytes] = []
    updates = 0
    with gzip.open(recorded_data / "hftbacktest" / "spot_btcusdt_20240808.gz") as file:
        lines = [line.rstrip(b"\n").split(b" ", 1) for line in file]
    assert len(lines) == 41_249

    for at, frame in lines:
        if frame.startswith(b'{"lastUpdateId"'):
            books.take("BTCUSDT", frame)
            consumer.answer("BTCUSDT", frame, int(at))
            updates += sum(books.hear(each) is not None for each in early)
        else:
            consumer.hear(int(at), frame)
            wants += consumer.wanted()
            if not books.sides:
                early.append(frame)
            elif books.hear(frame):
                updates += 1
                assert consumer.sides == books.sides

    assert wants == [FetchSnapshot("BTCUSDT")]
    assert consumer.controls == []
    assert consumer.sides == books.sides
    assert consumer.numbers("orderbook")["BTCUSDT"] == updates + 1
    assert consumer.numbers("ticker")["BTCUSDT"] == 28_040
    assert consumer.numbers("trade")["BTCUSDT"] == 9_757
    assert consumer.stages.received == 41_248
    assert not consumer.stages.undecodable
    assert not consumer.stages.ignored
