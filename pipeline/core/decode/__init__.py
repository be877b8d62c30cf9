"""Bytes of a venue -> records in our words. One module per venue; VENUES is the only list."""

from __future__ import annotations

from pipeline.core.decode import binance
from pipeline.core.messages import Decode

VENUES: dict[str, Decode] = {"binance": binance.decode}
