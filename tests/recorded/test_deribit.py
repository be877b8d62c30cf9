"""
Recorded Deribit options, frame by frame from the decoder to the published message.

Beside it the books are kept again by other means: the standard library's JSON, Decimal, one dict
for each side.
"""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from pipeline.core.messages import Accepted
from pipeline.core.normalise import Resubscribe
from pipeline.core.spec import SourceSpec
from streams.core.proto.market_pb2 import FLAG_SNAPSHOT
from tests.recorded.consumer import Consumer, received

pytestmark = pytest.mark.recorded

SPEC = SourceSpec(
    source_id="deribit", protocol="websocket", endpoint="ws://127.0.0.1", venue="deribit"
)


@pytest.fixture(scope="module")
def frames(recorded_data):
    return received(recorded_data / "cryptofeed" / "DERIBIT.ws.1.0")


class Books:
    """The books of all symbols as the frames tell them, kept the slow way."""

    def __init__(self):
        self.sides = {}

    def hear(self, frame):
        """Return the symbol whose book the frame tells, if any."""
        params = json.loads(frame, parse_float=Decimal, parse_int=Decimal).get("params", {})
        if not params.get("channel", "").startswith("book."):
            return None
        data = params["data"]
        symbol = data["instrument_name"]
        if data["type"] == "snapshot":
            self.sides[symbol] = {"bids": {}, "asks": {}}
        for side, levels in self.sides[symbol].items():
            for action, price, amount in data[side]:
                assert (price in levels) is (action != "new")
                if action == "delete":
                    del levels[price]
                else:
                    levels[price] = amount
        return symbol

    def as_snapshot(self, symbol, change_id):
        """Return the frame with which a new subscription would begin."""
        data = {
            "type": "snapshot",
            "timestamp": 1626993760000,
            "instrument_name": symbol,
            "change_id": change_id,
        } | {
            side: [["new", float(price), float(amount)] for price, amount in levels.items()]
            for side, levels in self.sides[symbol].items()
        }
        return notification(symbol, data)


def notification(symbol, data):
    params = {"channel": f"book.{symbol}.raw", "data": data}
    return json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": params}).encode()


def channel_of(frame):
    return json.loads(frame).get("params", {}).get("channel", "")


def test_every_frame_is_published_and_every_book_is_right_at_every_update(frames):
    books, consumer = Books(), Consumer(SPEC)

    for received_ns, frame in frames:
        consumer.hear(received_ns, frame)
        symbol = books.hear(frame)
        assert consumer.sides == books.sides
        if symbol:
            assert consumer.messages["orderbook", symbol][-1].received_ns == received_ns

    assert consumer.numbers("orderbook").total() == 46
    assert consumer.numbers("ticker").total() == 89
    assert len(books.sides) == 10
    assert consumer.controls == []
    assert not consumer.stages.undecodable
    assert not consumer.stages.wants
    (reply,) = consumer.stages.replies
    assert isinstance(reply, Accepted)
    assert len(reply.channels) == 30


def test_every_number_of_a_ticker_is_exact(frames):
    told = {
        "bid_price": "best_bid_price", "ask_price": "best_ask_price", "last_price": "last_price",
        "mark_price": "mark_price", "index_price": "index_price",
        "bid_quantity": "best_bid_amount", "ask_quantity": "best_ask_amount",
        "open_interest": "open_interest",
    }  # fmt: skip
    checked = 0

    for received_ns, frame in frames:
        if not channel_of(frame).startswith("ticker."):
            continue
        consumer = Consumer(SPEC)
        consumer.hear(received_ns, frame)
        ((message,),) = consumer.messages.values()
        data = json.loads(frame, parse_float=Decimal)["params"]["data"]
        for name, theirs in told.items():
            is_price = name.endswith("price")
            exponent = message.price_exponent if is_price else message.quantity_exponent
            assert Decimal(getattr(message, name)).scaleb(exponent) == data[theirs]
        assert message.event_ns == data["timestamp"] * 10**6
        checked += 1

    assert checked == 89


def lossy(frames):
    """Return each change whose loss shows, because another one of its book follows: its index."""
    last: dict[str, int] = {}
    found: list[int] = []
    for index, (_, frame) in enumerate(frames):
        if not channel_of(frame).startswith("book."):
            continue
        data = json.loads(frame)["params"]["data"]
        symbol = data["instrument_name"]
        if symbol in last:
            found.append(last[symbol])
        last.pop(symbol, None)
        if data["type"] == "change":
            last[symbol] = index
    return found


def test_one_lost_change_makes_one_gap_and_one_new_subscription_of_that_book_alone(frames):
    whole = Consumer(SPEC)
    for received_ns, frame in frames:
        whole.hear(received_ns, frame)
    losses = lossy(frames)
    assert len(losses) > 20

    for lost in losses:
        books, consumer = Books(), Consumer(SPEC)
        symbol = json.loads(frames[lost][1])["params"]["data"]["instrument_name"]
        for index, (received_ns, frame) in enumerate(frames):
            books.hear(frame)
            if index != lost:
                consumer.hear(received_ns, frame)

        assert consumer.controls == [(symbol, "KIND_GAP")]
        assert [type(want) for want in consumer.stages.wants] == [Resubscribe]
        assert consumer.stages.wants[0].symbol == symbol
        before = [m for m in whole.messages["orderbook", symbol] if m.received_ns < frames[lost][0]]
        assert consumer.numbers("orderbook")[symbol] == len(before)
        assert consumer.but(symbol) == whole.but(symbol)

        # The new subscription begins with a snapshot, and from there on all is well.
        last = whole.messages["orderbook", symbol][-1]
        consumer.hear(last.received_ns + 10**9, books.as_snapshot(symbol, last.last_seq + 7))

        assert consumer.controls[1:] == [(symbol, "KIND_RESYNC")]
        assert consumer.sides == books.sides
        assert consumer.messages["orderbook", symbol][-1].flags == FLAG_SNAPSHOT
        assert len(consumer.stages.wants) == 1
