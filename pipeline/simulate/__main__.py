"""`python -m pipeline.simulate --venue okx --port 9450`: exchanges that are not there, alone."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from pipeline.core.simulate.venues import MOUTHS
from pipeline.simulate.serve import CannotListen, on_signal
from pipeline.simulate.simulator import TICK_S, Simulator, simulating

BAD_USE = 2
# Enough for the oldest trade and book that anybody asks for over REST.
REMEMBERED = 500


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.simulate",
        description="Made-up markets behind the real protocols of exchanges.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9450, help="0 takes any free port")
    parser.add_argument(
        "--venue", action="append", choices=sorted(MOUTHS), help="may be repeated; default: all"
    )
    parser.add_argument("--seed", type=int, help="the same seed gives the same walk of prices")
    parser.add_argument(
        "--tick", type=float, default=TICK_S, metavar="S", help="seconds between two telling turns"
    )
    options = parser.parse_args()
    if not options.tick > 0:
        parser.error("--tick is a number of seconds above 0")
    # A client that vanishes during its handshake is no event of ours.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    try:
        asyncio.run(_run(options))
    except CannotListen as e:
        print(f"The exchange simulator {e}.", file=sys.stderr)  # noqa: T201
        return BAD_USE
    return 0


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    on_signal(stop.set)
    async with simulating(
        *(options.venue or ()),
        seed=options.seed,
        tick_s=options.tick,
        host=options.host,
        port=options.port,
        remember=REMEMBERED,
    ) as simulator:
        _say_where(simulator)
        simulator.pacing.add_done_callback(lambda _: stop.set())
        await stop.wait()


def _say_where(simulator: Simulator) -> None:
    print(f"The exchange simulator listens on ws://{simulator.address}", flush=True)  # noqa: T201
    for exchange in simulator.exchanges.values():
        print(f"{exchange.venue}: {exchange.endpoint}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
