"""
One of several processes that keep bars of the same minutes: `python -m … FROM TO`.

Each bar of account n and round r is r high and -r low, so that afterwards anybody can say what the
minutes must hold.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime

import django

ACCOUNTS = 2_000
AT = datetime(2026, 3, 29, 12, tzinfo=UTC)


def main() -> None:
    django.setup()
    from accounts.core.bars import Bar  # noqa: PLC0415  Django comes first
    from accounts.services import history  # noqa: PLC0415

    began = time.monotonic()
    for r in range(int(sys.argv[1]), int(sys.argv[2])):
        bar = Bar(AT, 2, r, r, -r, 0, r, r, -r, 0)
        history.keep((number, bar) for number in range(1, ACCOUNTS + 1))
    print(json.dumps({"seconds": time.monotonic() - began}))  # noqa: T201  the result


if __name__ == "__main__":
    main()
