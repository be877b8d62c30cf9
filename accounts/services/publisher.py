"""
The long-lived loop for many accounts: it keeps the leases of its shards from tick to tick.

Beat's tick leaves shards alone that somebody keeps; when this process dies, they are beat's again
after the lease has expired.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import InterfaceError, OperationalError, connection

from accounts.core.errors import BadShards
from accounts.models import Account
from accounts.services import shards
from accounts.services.shards import Lease
from accounts.services.visit import TICK_S, publish_shard

logger = logging.getLogger(__name__)

_AWAY = (OperationalError, InterfaceError)
_FORM = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?/([0-9]{1,6})")


@dataclass(frozen=True)
class Part:
    """The shards whose number, modulo `of`, lies in [first, last]."""

    first: int
    last: int
    of: int

    def holds(self, shard: int) -> bool:
        return self.first <= shard % self.of <= self.last


def part(text: str) -> Part:
    """
    Return the part that `0-9/100` names: ten of a hundred.

    Raises:
        BadShards: It names none.
    """
    found = _FORM.fullmatch(text.strip())
    if not found:
        raise BadShards(f"--shards is {text!r}; use first-last/of, for instance 0-9/100")
    first, of = int(found[1]), int(found[3])
    last = int(found[2] or first)
    if not first <= last < of:
        raise BadShards(f"--shards is {text!r}; first <= last < of must hold")
    return Part(first, last, of)


@dataclass
class Totals:
    """What a run did. `late`: ticks that could not begin in time and were skipped."""

    ticks: int = 0
    late: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    events: int = 0


def run(
    *, wanted: Part, holder: str, stopped: threading.Event, clock: Callable[[], datetime]
) -> Totals:
    """Publish the shards of this part every second, until stopped; then give them back."""
    leases: dict[int, Lease] = {}
    totals = Totals()
    due = time.monotonic()
    try:
        while not stopped.is_set():
            try:
                _visit_all(wanted, holder, leases, totals, clock)
            except _AWAY:
                logger.exception("no database; the next tick tries again")
                # It does not mend itself.
                connection.close()
            totals.ticks += 1
            due += TICK_S
            # Never queued up: what was missed is done by the next visit.
            behind = max(0, int((time.monotonic() - due) / TICK_S + 1))
            totals.late += behind
            due += behind * TICK_S
            stopped.wait(due - time.monotonic())
    finally:
        _give_back(leases.values())
    return totals


def _give_back(leases: Iterable[Lease]) -> None:
    try:
        for lease in leases:
            shards.give_back(lease)
    except _AWAY:
        logger.exception("no database; the leases run out")


def _visit_all(
    wanted: Part,
    holder: str,
    leases: dict[int, Lease],
    totals: Totals,
    clock: Callable[[], datetime],
) -> None:
    busy = [shard for shard in Account.objects.deployed().shards() if wanted.holds(shard)]
    for shard in set(leases) - set(busy):
        shards.give_back(leases.pop(shard))
    for shard in busy:
        lease = leases.get(shard) or shards.claim(shard, holder=holder)
        if lease is None:
            continue
        leases[shard] = lease
        try:
            report = publish_shard(shard=shard, now=clock(), lease=lease)
        except _AWAY:
            del leases[shard]
            raise
        except Exception:
            # What was sent is unknown: the lease runs out, and a new epoch begins.
            del leases[shard]
            logger.exception("shard %d: the visit failed", shard)
            continue
        if report.skipped:
            del leases[shard]
        totals.messages += Counter(report.messages)
        totals.events += report.events
