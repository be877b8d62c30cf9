"""OKX: spot, perpetual contracts, futures and options, which share one interface."""

from __future__ import annotations

from pipeline.core.venues.okx.venue import Okx

__all__ = ["Okx"]
