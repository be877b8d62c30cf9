"""Which trades of an answer are those that were missed."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.messages import Trade


def missed(trades: Sequence[Trade], after: Trade, before: Trade) -> tuple[list[Trade], bool]:
    """
    Return the trades after one and before another, and whether the answer went that far.

    Args:
        trades: As `Venue.trades` returns them; they may begin earlier and end later.
    """
    if after.seq and before.seq:
        return _by_number(trades, after.seq, before.first_seq or before.seq)
    return _by_id(trades, after, before)


def _by_number(trades: Sequence[Trade], after: int, before: int) -> tuple[list[Trade], bool]:
    found: list[Trade] = []
    reached = False
    for trade in trades:
        if trade.seq >= before:
            reached = True
        elif trade.seq > after:
            found.append(trade)
            after = trade.seq
    return found, reached or after == before - 1


def _by_id(trades: Sequence[Trade], after: Trade, before: Trade) -> tuple[list[Trade], bool]:
    ids = [trade.trade_id for trade in trades]
    if after.trade_id in ids:
        trades = trades[ids.index(after.trade_id) + 1 :]
    else:
        trades = [trade for trade in trades if trade.trade_ns >= after.trade_ns]
    ids = [trade.trade_id for trade in trades]
    if before.trade_id in ids:
        return list(trades[: ids.index(before.trade_id)]), True
    found = [trade for trade in trades if trade.trade_ns <= before.trade_ns]
    return found, len(found) < len(trades)
