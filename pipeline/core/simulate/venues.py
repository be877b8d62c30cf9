"""The mouths there are, by venue."""

from __future__ import annotations

from pipeline.core.simulate.binance import BinanceCoinM, BinanceSpot, BinanceUsdM
from pipeline.core.simulate.deribit import Deribit
from pipeline.core.simulate.mouth import Mouth
from pipeline.core.simulate.okx import Okx

MOUTHS: dict[str, type[Mouth]] = {
    mouth.venue: mouth for mouth in (BinanceSpot, BinanceUsdM, BinanceCoinM, Okx, Deribit)
}
# Their numbers of changes skip some.
WITH_HOLES = frozenset({"binance-usdm", "binance-coinm"})
