"""
Binance. The files here are the same in the folder of every exchange.

* venue     the classes: what the exchange has and allows, and who answers what
* channels  types and symbols -> streams, subscriptions, addresses
* decode    frames -> records and replies
* sequence  how the updates of a book follow one another
* rest      symbol table, snapshots, missed trades
"""

from __future__ import annotations

from pipeline.core.venues.binance.venue import BinanceCoinM, BinanceSpot, BinanceUsdM

__all__ = ["BinanceCoinM", "BinanceSpot", "BinanceUsdM"]
