"""
Exchanges that are not there: made-up ones, and one that replays recorded traffic.

    async with simulated("okx", seed=7) as exchange:
        exchange.endpoint, exchange.rest_endpoint
        exchange.faults.drop_next("BTC-USDT", "books")
        exchange.truth("BTC-USDT").book(number)
"""

from pipeline.simulate.simulator import simulated, simulating

__all__ = ["simulated", "simulating"]
