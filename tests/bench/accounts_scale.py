"""
Whether 500, 5,000 and 20,000 accounts are published at the contract's worst-case rates.

Prints one JSON line. Every account is a simulated one that always has a position and an order and
in which all moves each second: a snapshot each 30 s, an update each 3, positions each 5, orders
each 10, which is 40 messages a minute. They are counted by a consumer of `socket_data`.

500 and 5,000 accounts go through Celery, as the product does it; 20,000 through two processes of
`run_publisher`. Real servers; PostgreSQL without fsync.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.fleet import Counting, Fleet
from tests.servers.process import go_on, wait_until

PER_ACCOUNT_S = 1 / 30 + 1 / 3 + 1 / 5 + 1 / 10
MEASURED_S = 60.0
# Every account has sent its first snapshot, and its turns are where they will stay.
SETTLE_S = 32.0
FIRST_S = 120.0
SIZES = (500, 5_000, 20_000)
CELERY_UP_TO = 5_000
PUBLISHERS = 2


def declare(count: int) -> None:
    from accounts.models import Account  # noqa: PLC0415  Django is set up late

    Account.objects.bulk_create(
        [
            Account(
                server=f"Bench-{number % 5}",
                login=1_000_000 + number,
                source="busy",
                lifecycle="DEPLOYED",
                epoch=1,
            )
            for number in range(count)
        ],
        batch_size=1000,
    )


def ticks() -> dict[str, int]:
    from django.db.models import Max, Sum  # noqa: PLC0415

    from accounts.models import ShardLease  # noqa: PLC0415

    found = ShardLease.objects.aggregate(
        visits=Sum("visits"), overruns=Sum("overruns"), skipped=Sum("skipped"),
        slowest_ms=Max("last_visit_ms"),
    )  # fmt: skip
    return {name: value or 0 for name, value in found.items()}


def start_publishing(fleet: Fleet, count: int) -> None:
    if count <= CELERY_UP_TO:
        fleet.start_celery(concurrency=2)
        return
    for number in range(PUBLISHERS):
        part = f"{number}/{PUBLISHERS}"
        fleet.start(f"publisher{number}", "manage.py", "run_publisher", "--shards", part)


def measure(fleet: Fleet, count: int) -> dict[str, Any]:
    declare(count)
    with Counting(fleet.rabbitmq.url) as seen:
        start_publishing(fleet, count)
        try:
            wait_until(lambda: seen.messages[b"account"] >= count, FIRST_S, "first snapshots")
            go_on(SETTLE_S)
            before, cpu_before, ticks_before = seen.messages.copy(), fleet.cpu_s(), ticks()
            began = time.monotonic()
            go_on(MEASURED_S)
            took_s = time.monotonic() - began
            sent, cpu_after, ticks_after = seen.messages - before, fleet.cpu_s(), ticks()
        finally:
            fleet.stop_programs()
    total = sum(sent.values())
    return {
        "accounts": count,
        "through": "celery" if count <= CELERY_UP_TO else f"{PUBLISHERS} x run_publisher",
        "required_per_s": round(count * PER_ACCOUNT_S, 1),
        "achieved_per_s": round(total / took_s, 1),
        "achieved_of_required": round(total / took_s / (count * PER_ACCOUNT_S), 4),
        "by_type": {kind.decode(): number for kind, number in sorted(sent.items())},
        "cpu_us_per_message": {
            name: round((cpu_after[name] - cpu_before[name]) / max(1, total) * 1e6, 1)
            for name in cpu_after
        },
        **{
            name: ticks_after[name] - ticks_before[name]
            for name in ("visits", "overruns", "skipped")
        },
        "last_visit_ms_worst": ticks_after["slowest_ms"],
    }


def one_size(count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, Fleet(Path(folder)) as fleet:
        fleet.configure()
        import django  # noqa: PLC0415  the database is known now

        django.setup()
        return measure(fleet, count)


def in_a_process_of_its_own(count: int) -> dict[str, Any]:
    """Return what `one_size` does; Django can be set up for one database only."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.accounts_scale", str(count)],
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    print(done.stdout.decode().strip(), file=sys.stderr)  # noqa: T201  progress
    return found


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(one_size(int(sys.argv[1]))))  # noqa: T201
        return
    load_before = os.getloadavg()[0]
    results = [in_a_process_of_its_own(count) for count in SIZES]
    print(  # noqa: T201 - the result
        json.dumps(
            {
                "bench": "accounts-scale",
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "machine": f"{platform.machine()}, {os.cpu_count()} cores",
                "measured_s": MEASURED_S,
                "load_before": round(load_before, 2),
                "sizes": results,
            }
        )
    )


if __name__ == "__main__":
    main()
