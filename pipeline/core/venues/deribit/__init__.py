"""
Deribit: options, futures, perpetual contracts and spot (JSON-RPC over WebSocket, API v2).

The files here are the same in the folder of every exchange; see `pipeline.core.venues.binance`.
"""

from __future__ import annotations

from pipeline.core.venues.deribit.venue import Deribit

__all__ = ["Deribit"]
