"""
How the updates of a book follow one another, and the checksum of a book.

Each update says where the one before it ended: prevSeqId. The numbers are those of the matching
engine, so there are holes between them. Three things are no gap:

    15, prev 15     nothing changed for a minute; the book holds it
    3, prev 15      after maintenance the venue counts anew, and this one still follows 15
    no numbers      as the venue wrote before 2023; then only the checksum tells of a gap

A small number may so be a repeat, or belong to a new count whose beginning was lost. Time tells:
a repeat is no younger than what the book holds.

Source: www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel; what it says
of checksums, it said until 2026. Since then the venue sends 0 instead.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import chain, zip_longest

from pipeline.core.messages import OrderBook
from pipeline.core.venues.venue import Step

CHECKSUM_DEPTH = 25


def joins(snapshot: OrderBook, update: OrderBook) -> Step:
    """Return how the first update stands to a snapshot, be it the channel's own or one by REST."""
    return follows(snapshot.last_seq, update, snapshot.event_ns)


def follows(last_seq: int, update: OrderBook, last_ns: int) -> Step:
    if update.prev_seq < 0:
        return Step.NEXT
    if update.prev_seq == last_seq:
        return Step.OLD if update.last_seq == last_seq else Step.NEXT
    if update.prev_seq < last_seq < update.last_seq:
        # Behind a snapshot that was made between two updates, or of another link, which cut the
        # changes elsewhere. Quantities are absolute, so what overlaps does no harm.
        return Step.NEXT
    if update.last_seq <= last_seq and not 0 < last_ns < update.event_ns:
        return Step.OLD
    return Step.GAP


def checksum(bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> int:
    """Return the CRC-32, signed, of `bid:size:ask:size:…`; the longer side goes on alone."""
    pairs = zip_longest(bids[:CHECKSUM_DEPTH], asks[:CHECKSUM_DEPTH], fillvalue=())
    text = ":".join(chain.from_iterable(chain.from_iterable(pairs)))
    found = zlib.crc32(text.encode())
    return found - 2**32 if found >= 2**31 else found
