"""
Recorded OKX of 2022, when its checksums were real, from the decoder to the published message.

Beside it the books are kept again by other means: the standard library's JSON, Decimal, one dict
for each side, and a CRC of our own.
"""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from itertools import chain, zip_longest
from typing import Any

import pytest

from pipeline.core.messages import Accepted
from pipeline.core.normalise import Resubscribe
from pipeline.core.spec import SourceSpec
from streams.core.proto.market_pb2 import Aggressor
from tests.recorded.consumer import Consumer, received

pytestmark = pytest.mark.recorded

SPEC = SourceSpec(source_id="okx", protocol="websocket", endpoint="ws://127.0.0.1", venue="okx")
SYMBOLS = {"BTC-USDT", "BTC-USD-220527", "UNI-USD-SWAP"}


@pytest.fixture(scope="module")
def frames(recorded_data):
    return received(recorded_data / "cryptofeed" / "OKX.ws.1.0")


def told_book(frame):
    """Return (symbol, action, data) of a frame that tells a book, else None."""
    told = json.loads(frame)
    if told["arg"]["channel"] != "books" or "data" not in told:
        return None
    (data,) = told["data"]
    return told["arg"]["instId"], told["action"], data


def crc(text):
    """Return the CRC-32 of IEEE 802.3, signed, bit by bit as the standard has it."""
    found = 0xFFFFFFFF
    for byte in text.encode():
        found ^= byte
        for _ in range(8):
            found = found >> 1 ^ (0xEDB88320 if found & 1 else 0)
    found ^= 0xFFFFFFFF
    return found - (found >> 31 << 32)


class Books:
    """The books of all symbols as the frames tell them, kept the slow way."""

    def __init__(self):
        self.texts = {}

    def hear(self, frame):
        """Return the symbol whose book the frame tells, if any."""
        told = told_book(frame)
        if told is None:
            return None
        symbol, action, data = told
        if action == "snapshot":
            self.texts[symbol] = {"bids": {}, "asks": {}}
        for side, levels in self.texts[symbol].items():
            for price, size, *_ in data[side]:
                levels.pop(Decimal(price), None)
                if Decimal(size):
                    levels[Decimal(price)] = price, size
        return symbol

    @property
    def sides(self):
        return {
            symbol: {
                side: {price: Decimal(size) for price, (_, size) in levels.items()}
                for side, levels in sides.items()
            }
            for symbol, sides in self.texts.items()
        }

    def best(self, symbol, depth=None):
        bids, asks = self.texts[symbol].values()
        return (
            [bids[price] for price in sorted(bids, reverse=True)][:depth],
            [asks[price] for price in sorted(asks)][:depth],
        )

    def checksum(self, symbol):
        pairs = zip_longest(*self.best(symbol, 25), fillvalue=())
        return crc(":".join(chain.from_iterable(chain.from_iterable(pairs))))

    def as_snapshot(self, symbol, **numbers):
        """Return the frame with which a new subscription would begin."""
        bids, asks = (
            [[price, size, "0", "1"] for price, size in side] for side in self.best(symbol)
        )
        data = {"asks": asks, "bids": bids, "ts": "1652459237000"} | numbers
        if not numbers:
            data["checksum"] = self.checksum(symbol)
        arg = {"channel": "books", "instId": symbol}
        return json.dumps({"arg": arg, "action": "snapshot", "data": [data]}).encode()


def test_every_frame_is_published_and_every_book_is_right_at_every_update(frames):
    books, consumer = Books(), Consumer(SPEC)

    for received_ns, frame in frames:
        consumer.hear(received_ns, frame)
        symbol = books.hear(frame)
        if symbol is None:
            continue
        assert consumer.sides == books.sides
        message = consumer.messages["orderbook", symbol][-1]
        assert message.received_ns == received_ns
        assert message.checksum == books.checksum(symbol)

    assert {
        token: sum(consumer.numbers(token).values()) for token in ("orderbook", "ticker", "trade")
    } == {"orderbook": 290, "ticker": 28, "trade": 74}
    assert set(consumer.sides) == SYMBOLS
    assert consumer.controls == []
    assert max(consumer.ids.values()) == 1
    counts = consumer.stages.normaliser.counts
    assert (counts.bad_checksums, counts.repeated) == (0, 0)
    assert not consumer.stages.undecodable
    assert not consumer.stages.wants
    accepted = [reply for reply in consumer.stages.replies if isinstance(reply, Accepted)]
    assert len(accepted) == len(consumer.stages.replies) == 18


def test_every_number_of_a_trade_and_of_a_ticker_is_exact(frames):
    consumer = Consumer(SPEC)
    told: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
    for received_ns, frame in frames:
        consumer.hear(received_ns, frame)
        heard = json.loads(frame)
        if "data" in heard and heard["arg"]["channel"] != "books":
            token = heard["arg"]["channel"].removesuffix("s")
            told[token, heard["arg"]["instId"]] += heard["data"]

    assert sum(map(len, told.values())) == 28 + 74
    for (token, symbol), theirs in told.items():
        ours = consumer.messages[token, symbol]
        assert [said(token, message) for message in ours] == [
            expected(token, data) for data in theirs
        ]


def said(token, message):
    def price(number):
        return Decimal(number).scaleb(message.price_exponent)

    def quantity(number):
        return Decimal(number).scaleb(message.quantity_exponent)

    if token == "ticker":
        return {
            "event_ns": message.event_ns,
            "bid": (price(message.bid_price), quantity(message.bid_quantity)),
            "ask": (price(message.ask_price), quantity(message.ask_quantity)),
            "last": (price(message.last_price), quantity(message.last_quantity)),
        }
    return {
        "id": (message.trade_id, message.seq, message.first_seq),
        "times": (message.event_ns, message.trade_ns),
        "trade": (price(message.price), quantity(message.quantity)),
        "aggressor": Aggressor.Name(message.aggressor),
    }


def expected(token, data):
    at_ns = int(data["ts"]) * 10**6
    if token == "ticker":
        return {"event_ns": at_ns} | {
            side: (Decimal(data[price]), Decimal(data[size]))
            for side, price, size in (
                ("bid", "bidPx", "bidSz"), ("ask", "askPx", "askSz"), ("last", "last", "lastSz"),
            )
        }  # fmt: skip
    return {
        "id": (data["tradeId"], int(data["tradeId"]), 0),
        "times": (at_ns, at_ns),
        "trade": (Decimal(data["px"]), Decimal(data["sz"])),
        "aggressor": {"buy": "AGGRESSOR_BUYER", "sell": "AGGRESSOR_SELLER"}[data["side"]],
    }


def found_at(frames, lost):
    """Return at which frame the loss of one shows in a checksum; None where in none."""
    symbol = told_book(frames[lost][1])[0]
    books = Books()
    for index, (_, frame) in enumerate(frames):
        if index == lost or told_book(frame) is None or books.hear(frame) != symbol:
            continue
        if index > lost and books.checksum(symbol) != told_book(frame)[2]["checksum"]:
            return index
    return None


def updates(frames):
    found = [(index, told_book(frame)) for index, (_, frame) in enumerate(frames)]
    return [index for index, told in found if told and told[1] == "update"]


def whole(frames):
    consumer = Consumer(SPEC)
    for received_ns, frame in frames:
        consumer.hear(received_ns, frame)
    return consumer


# All 287 would take a quarter of a minute; these are of each symbol, from the first to the last.
@pytest.mark.parametrize("start", range(3))
def test_one_lost_update_is_found_by_checksum_and_mended_for_that_book_alone(frames, start):
    undisturbed = whole(frames)
    shown = 0
    for lost in updates(frames)[start::30]:
        symbol = told_book(frames[lost][1])[0]
        gap = found_at(frames, lost)
        shown += gap is not None
        books, consumer = Books(), Consumer(SPEC)
        for index, (received_ns, frame) in enumerate(frames):
            books.hear(frame)
            if index != lost:
                consumer.hear(received_ns, frame)
            if index == gap:
                assert consumer.controls == [(symbol, "KIND_GAP")]
                wants = list(consumer.stages.wants)
                assert [(type(want), want.symbol) for want in wants] == [(Resubscribe, symbol)]
                assert consumer.messages["orderbook", symbol][-1].received_ns < received_ns
                consumer.hear(received_ns, books.as_snapshot(symbol))
                assert consumer.controls[1:] == [(symbol, "KIND_RESYNC")]

        assert len(consumer.controls) == (2 if gap is not None else 0)
        assert consumer.but(symbol) == undisturbed.but(symbol)
        if gap is not None:
            assert consumer.sides == books.sides
            assert consumer.stages.normaliser.counts.bad_checksums == 1
    assert shown > 2


def numbered(frames):
    """Return the frames as the venue writes them since 2023: with numbers, without a checksum."""
    last: dict[str, int] = {}
    found = []
    for received_ns, frame in frames:
        told = json.loads(frame)
        if (book := told_book(frame)) is not None:
            symbol, action, _ = book
            prev = last.get(symbol, 10**9) if action == "update" else -1
            last[symbol] = max(prev, 10**9) + 1 + received_ns % 7
            (data,) = told["data"]
            data |= {"checksum": 0, "prevSeqId": prev, "seqId": last[symbol]}
        found.append((received_ns, json.dumps(told, separators=(",", ":")).encode()))
    return found


@pytest.mark.parametrize("start", range(3))
def test_one_lost_update_is_found_by_its_number_at_the_next_one(frames, start):
    frames = numbered(frames)
    undisturbed = whole(frames)
    assert undisturbed.controls == []
    told = [told_book(frame) for _, frame in frames]
    for lost in updates(frames)[start::30]:
        symbol, _, data = told[lost]
        later = [at for at, book in enumerate(told) if at > lost and book and book[0] == symbol]
        if not later:
            continue
        books, consumer = Books(), Consumer(SPEC)
        for index, (received_ns, frame) in enumerate(frames):
            books.hear(frame)
            if index != lost:
                consumer.hear(received_ns, frame)
            if index == later[0]:
                assert consumer.controls == [(symbol, "KIND_GAP")]
                assert consumer.control.first_missing == data["prevSeqId"] + 1
                assert consumer.control.last_missing == data["seqId"]
                last = told[index][2]["seqId"]
                consumer.hear(received_ns, books.as_snapshot(symbol, seqId=last, prevSeqId=-1))

        assert consumer.controls == [(symbol, "KIND_GAP"), (symbol, "KIND_RESYNC")]
        assert len(consumer.stages.wants) == 1
        assert consumer.but(symbol) == undisturbed.but(symbol)
        assert consumer.sides == books.sides
