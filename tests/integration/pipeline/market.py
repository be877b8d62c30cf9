"""
All simulated exchanges, one real worker, a real NATS, and a consumer that knows only what is there.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, TypeAlias

from pipeline.simulate import simulating
from streams.broker.connect import connect
from streams.core.market import MarketMessage, decoded
from streams.core.proto.market_pb2 import FLAG_CONTROL, FLAG_SNAPSHOT, Control
from streams.core.templates import STANDARD
from tests.integration.pipeline.worker import make_stream, spec, stored, worker

TICK_S = 0.03
# (venue, symbol, type of data)
Place: TypeAlias = tuple[str, str, str]
Prices: TypeAlias = dict[Decimal, Decimal]


class Market:
    """
    Attributes:
        exchanges: By venue; each is a source of the same name.
        first, second: Two symbols of each venue that are subscribed to.
    """

    def __init__(self, exchanges, running, client):
        self.exchanges = exchanges
        self.first = {venue: exchange.symbols[0] for venue, exchange in exchanges.items()}
        self.second = {venue: exchange.symbols[1] for venue, exchange in exchanges.items()}
        self._running = running
        self._client = client

    def begin(self, **more):
        """Subscribe to trades and books of two symbols of each exchange."""
        self._running.order(
            *[
                spec(
                    exchange.endpoint, venue, venue=venue, rest_endpoint=exchange.rest_endpoint,
                    types=["trade", "orderbook"], symbols=[self.first[venue], self.second[venue]],
                    reconnect_interval=0.1, **more,
                )
                for venue, exchange in self.exchanges.items()
            ]
        )  # fmt: skip

    def status(self, venue):
        return self._running.source(venue)

    async def until(self, condition, within_s=30):
        """Wait until it is true of the status of each exchange's source."""
        await self._running.until(
            lambda: all(
                self.status(venue)["received"] and condition(self.status(venue))
                for venue in self.exchanges
            ),
            within_s,
        )

    async def flows(self, messages=30):
        """Wait until each source has published so many trades and books more."""
        before = {
            (venue, kind): self.status(venue).get("by_type", {}).get(kind, 0)
            for venue in self.exchanges
            for kind in ("trade", "orderbook")
        }
        await self._running.until(
            lambda: all(
                self.status(venue).get("by_type", {}).get(kind, 0) >= count + messages
                for (venue, kind), count in before.items()
            ),
            30,
        )

    async def end(self):
        """Stop the worker; return what is stored, by place, without its farewells."""
        assert await self._running.stop() == 0
        found: dict[Place, list[MarketMessage]] = defaultdict(list)
        for subject, payload in await stored(self._client):
            place = STANDARD.parse(subject)
            assert place is not None, subject
            message = decoded(place.data_type, payload)
            found[place.exchange, place.symbol, place.data_type].append(message)
        for messages in found.values():
            farewell = messages.pop()
            assert farewell.control.reason == "the source was stopped"
        assert len(found) == 4 * len(self.exchanges)
        return found


@asynccontextmanager
async def market(nats):
    async with simulating(tick_s=TICK_S) as simulator, worker(nats.url) as running:
        client = await connect(nats.url, name="test", patience_s=10)
        try:
            await make_stream(client)
            yield Market(simulator.exchanges, running, client)
            # A mouth that went silent by a bug would make any test wait.
            assert not simulator.pacing.done()
        finally:
            await client.close()


def told(found) -> dict[Place, list[str]]:
    """Return the kinds of control messages of each place that has any."""
    return {
        place: kinds
        for place, messages in found.items()
        if (kinds := [_kind(m) for m in messages if m.flags & FLAG_CONTROL])
    }


def _kind(message):
    return Control.Kind.Name(message.control.kind).removeprefix("KIND_")


def assert_numbered(found):
    """No consumer misses a message without noticing, and none of these missed any."""
    for place, messages in found.items():
        numbers = [message.local_seq for message in messages]
        assert numbers == list(range(1, len(messages) + 1)), place
        assert len({message.epoch for message in messages}) == 1, place


def assert_books_are_true(found, exchanges) -> Counter[str]:
    """
    Rebuild every book from its messages alone; compare it with the exchange's own, at each message.

    Returns:
        How many states were compared, by venue.
    """
    compared: Counter[str] = Counter()
    for (venue, symbol, data_type), messages in found.items():
        if data_type == "orderbook":
            truth = exchanges[venue].truth(symbol)
            for number, bids, asks in rebuilt(messages):
                assert (bids, asks) == truth.book(number), (venue, symbol, number)
                compared[venue] += 1
    return compared


def rebuilt(messages) -> Iterator[tuple[int, Prices, Prices]]:
    """Yield the venue's number, bids and asks after each message that leaves the book whole."""
    sides: tuple[Prices, Prices] | None = None
    for message in messages:
        if message.flags & FLAG_CONTROL:
            sides = None if _kind(message) in ("GAP", "DISCONNECT") else sides
            continue
        if message.flags & FLAG_SNAPSHOT:
            sides = {}, {}
        assert sides is not None, "an update of a book that nobody has"
        _apply(sides[0], message, message.bid_prices, message.bid_quantities)
        _apply(sides[1], message, message.ask_prices, message.ask_quantities)
        yield message.last_seq, *sides


def _apply(side: Prices, message: Any, prices, quantities) -> None:
    for price, quantity in zip(prices, quantities, strict=True):
        at = Decimal(price).scaleb(message.price_exponent)
        if quantity:
            side[at] = Decimal(quantity).scaleb(message.quantity_exponent)
        else:
            side.pop(at, None)


def assert_trades_are_true(found, exchanges) -> Counter[str]:
    """
    Compare the trades of each subject with the exchange's own: from the first to the last all, each
    once, in their order.
    """
    compared: Counter[str] = Counter()
    for (venue, symbol, data_type), messages in found.items():
        if data_type == "trade":
            trades = [message for message in messages if not message.flags & FLAG_CONTROL]
            ids = [int(trade.trade_id.rpartition("-")[2]) for trade in trades]
            true = exchanges[venue].truth(symbol).trades(ids[0], ids[-1])
            assert ids == [trade.number for trade in true], (venue, symbol)
            for said, one in zip(trades, true, strict=True):
                assert Decimal(said.price).scaleb(said.price_exponent) == one.price
                assert Decimal(said.quantity).scaleb(said.quantity_exponent) == one.quantity
            compared[venue] += len(ids)
    return compared


async def pause(seconds: float) -> None:
    """Let something last."""
    await asyncio.sleep(seconds)
