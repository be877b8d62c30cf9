"""
How the updates of a book follow one another.

Spot counts the changes of each symbol's book one by one: an update holds the changes U to u. In the
numbers of the futures there are holes, so each update says where the one before ended: pu.

Sources: "How to manage a local order book correctly" in
developers.binance.com/docs/binance-spot-api-docs/web-socket-streams and
developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
"""

from __future__ import annotations

from pipeline.core.messages import OrderBook
from pipeline.core.venues.venue import Step


def spot_follows(last_seq: int, update: OrderBook) -> Step:
    """Return how an update, and be it the first after a snapshot, stands to what a book holds."""
    if update.last_seq <= last_seq:
        return Step.OLD
    # Quantities are absolute: what overlaps does no harm.
    return Step.NEXT if update.first_seq <= last_seq + 1 else Step.GAP


def futures_joins(snapshot: OrderBook, update: OrderBook) -> Step:
    # One that ends with the snapshot brings nothing, and may have been published before it. The
    # documentation begins with it all the same; the one after says that it follows it.
    if update.last_seq <= snapshot.last_seq:
        return Step.OLD
    # An update holds all that changed after pu. So a snapshot made in the hole between pu and U
    # does as well as one made between U and u, which is all that the documentation speaks of.
    begins = update.prev_seq if update.prev_seq >= 0 else update.first_seq
    return Step.NEXT if begins <= snapshot.last_seq else Step.GAP


def futures_follows(last_seq: int, update: OrderBook) -> Step:
    if update.last_seq <= last_seq:
        return Step.OLD
    # Nothing is missing either where another link, or a slower stream of the same book, cut the
    # changes elsewhere: quantities are absolute.
    return Step.NEXT if 0 <= update.prev_seq <= last_seq else Step.GAP
