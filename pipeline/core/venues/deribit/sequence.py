"""
How one message of a book stands to those before it.

Each carries `change_id`, and each but a snapshot the `change_id` of the one before it. Numbers are
not consecutive; only their chain says that nothing is missing.

Source: docs.deribit.com, page "book.(instrument_name).(interval)"
"""

from __future__ import annotations

from pipeline.core.messages import OrderBook
from pipeline.core.venues.venue import Step


def follows(last_seq: int, update: OrderBook) -> Step:
    """Return how an update stands to what ended with `last_seq`, be it a snapshot or an update."""
    if update.snapshot:
        return Step.NEXT
    if update.last_seq <= last_seq:
        return Step.OLD
    # Amounts are absolute: a change that another link began earlier does no harm where it overlaps.
    return Step.NEXT if update.prev_seq <= last_seq else Step.GAP
