"""How Binance speaks: spot, USD-M and COIN-M futures."""

from pipeline.core.simulate.binance.mouth import BinanceCoinM, BinanceSpot, BinanceUsdM

__all__ = ["BinanceCoinM", "BinanceSpot", "BinanceUsdM"]
