"""`python -m pipeline.simulate --host 127.0.0.1 --port 9450`: the exchange simulator alone."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from pipeline.simulate import exchange
from pipeline.simulate.serve import CannotListen

BAD_USE = 2


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.simulate",
        description="A real WebSocket server that speaks Binance's streams over made-up markets.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9450, help="0 takes any free port")
    parser.add_argument("--seed", type=int, help="the same seed gives the same walk of prices")
    options = parser.parse_args()
    # A client that vanishes during its handshake is no event of ours.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    try:
        asyncio.run(exchange.run(options.host, options.port, options.seed, _ready))
    except CannotListen as e:
        print(f"The exchange simulator {e}.", file=sys.stderr)  # noqa: T201
        return BAD_USE
    return 0


def _ready(url: str) -> None:
    print(f"The exchange simulator listens on {url}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
