"""The exchanges we know. One folder each; VENUES is the only list."""

from __future__ import annotations

from pipeline.core.venues.binance import BinanceCoinM, BinanceSpot, BinanceUsdM
from pipeline.core.venues.deribit import Deribit
from pipeline.core.venues.okx import Okx
from pipeline.core.venues.plain import Plain
from pipeline.core.venues.venue import Venue

VENUES: dict[str, type[Venue]] = {
    venue.name: venue
    for venue in (
        BinanceSpot,
        BinanceUsdM,
        BinanceCoinM,
        Okx,
        Deribit,
    )
}


def venue_of(name: str) -> type[Venue]:
    """Return the class of a venue; the empty name is that of a source that is no exchange."""
    return VENUES[name] if name else Plain
