"""
From what a venue said to what is published: numbers, sequence checks, books, gaps.

One `Normaliser` stands for all that one source has said so far.
"""

from __future__ import annotations

from pipeline.core.normalise.normaliser import Normaliser
from pipeline.core.normalise.outgoing import Outgoing
from pipeline.core.normalise.wants import BackfillTrades, FetchSnapshot, Resubscribe, Want

__all__ = ["BackfillTrades", "FetchSnapshot", "Normaliser", "Outgoing", "Resubscribe", "Want"]
