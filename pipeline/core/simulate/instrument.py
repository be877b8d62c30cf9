"""What is traded at the made-up markets, by venue."""

from __future__ import annotations

import msgspec

MS_PER_S = 1000
# 2030-12-27 08:00 UTC: what expires does so long after any test.
EXPIRY_MS = 1_924_588_800 * MS_PER_S


class Instrument(msgspec.Struct, frozen=True):
    """
    Attributes:
        price: Where it begins, in ticks. decimals: A tick is 10**-decimals.
        lot_decimals: A lot is 10**-lot_decimals of what is counted: base currency or contracts.
        kind: `spot`, `perpetual`, `future` or `option`.
        expiry_ms: 0 where it has none.
    """

    symbol: str
    price: int
    decimals: int
    lot_decimals: int
    kind: str = "spot"
    base: str = ""
    quote: str = ""
    expiry_ms: int = 0

    @property
    def is_perpetual(self) -> bool:
        return self.kind == "perpetual"


SPOT = (
    Instrument("BTCUSDT", 6_184_000, 2, 5, "spot", "BTC", "USDT"),
    Instrument("ETHUSDT", 268_500, 2, 4, "spot", "ETH", "USDT"),
    Instrument("BNBUSDT", 51_230, 2, 3, "spot", "BNB", "USDT"),
    Instrument("SOLUSDT", 16_234, 2, 2, "spot", "SOL", "USDT"),
    Instrument("XRPUSDT", 6_112, 4, 1, "spot", "XRP", "USDT"),
)
USDM = (
    Instrument("BTCUSDT", 618_400, 1, 3, "perpetual", "BTC", "USDT"),
    Instrument("ETHUSDT", 268_500, 2, 3, "perpetual", "ETH", "USDT"),
    Instrument("BTCUSDT_301227", 640_000, 1, 3, "future", "BTC", "USDT", EXPIRY_MS),
)
COINM = (
    Instrument("BTCUSD_PERP", 618_400, 1, 0, "perpetual", "BTC", "USD"),
    Instrument("ETHUSD_PERP", 268_500, 2, 0, "perpetual", "ETH", "USD"),
    Instrument("BTCUSD_301227", 640_000, 1, 0, "future", "BTC", "USD", EXPIRY_MS),
)
OKX = (
    Instrument("BTC-USDT", 618_400, 1, 8, "spot", "BTC", "USDT"),
    Instrument("ETH-USDT", 268_500, 2, 6, "spot", "ETH", "USDT"),
    Instrument("BTC-USDT-SWAP", 618_400, 1, 2, "perpetual", "BTC", "USDT"),
    Instrument("ETH-USD-SWAP", 268_500, 2, 0, "perpetual", "ETH", "USD"),
    Instrument("BTC-USD-301227", 640_000, 1, 0, "future", "BTC", "USD", EXPIRY_MS),
)
DERIBIT = (
    Instrument("BTC-PERPETUAL", 618_400, 1, 0, "perpetual", "BTC", "USD"),
    Instrument("ETH-PERPETUAL", 268_500, 2, 0, "perpetual", "ETH", "USD"),
    Instrument("SOL_USDC-PERPETUAL", 16_234, 2, 1, "perpetual", "SOL", "USDC"),
    Instrument("BTC-27DEC30", 640_000, 1, 0, "future", "BTC", "USD", EXPIRY_MS),
    Instrument("BTC-27DEC30-100000-C", 3_125, 4, 1, "option", "BTC", "BTC", EXPIRY_MS),
)

BY_VENUE: dict[str, tuple[Instrument, ...]] = {
    "binance": SPOT,
    "binance-usdm": USDM,
    "binance-coinm": COINM,
    "okx": OKX,
    "deribit": DERIBIT,
}
