"""
Whether a consumer of the contract rebuilds every account exactly, and how soon it hears of changes.

Prints one JSON line. Five hundred accounts change at random for five minutes and are pushed over
HTTP to the whole product; its RabbitMQ is killed with SIGKILL in the middle. `exact` accounts are
the same, field by field, in a consumer that only reads `socket_data`; one that is not makes the
measurement fail. `structural_…` is from the HTTP request that brought an opened, closed or altered
position or order to its arrival at that consumer, which is behind RabbitMQ's confirm or at it; the
outage is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import UTC, datetime

from tests.rebuild.run import Plan, run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=Plan.accounts)
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help="of changes")
    parser.add_argument(
        "--every", type=float, default=Plan.every_s, help="seconds between an account's pushes"
    )
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--postgres", action="store_true", help="instead of SQLite")
    options = parser.parse_args()
    plan = Plan(
        accounts=options.accounts,
        seconds=options.seconds,
        every_s=options.every,
        seed=options.seed,
        postgres=options.postgres,
    )
    try:
        figures = run(plan)
    except TimeoutError as e:
        sys.exit(f"accounts-rebuild: {e}")
    print(  # noqa: T201 - the result
        json.dumps(
            {
                "bench": "accounts-rebuild",
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "machine": f"{platform.machine()}, {os.cpu_count()} cores",
                "database": "PostgreSQL" if plan.postgres else "SQLite",
                "pushed_every_s": plan.every_s,
                **figures,
            }
        )
    )
    if figures["exact"] != plan.accounts:
        sys.exit(1)


if __name__ == "__main__":
    main()
