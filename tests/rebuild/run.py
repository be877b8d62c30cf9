"""
The whole journey: terminals → HTTP → Tickplane → RabbitMQ → a consumer of the contract.

Accounts change at random; in the middle the broker is killed with SIGKILL and started again. At its
return the accounts stand still until the consumer holds what the terminals know, then they go on.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rebuild.pushing import Pushed, Sent, Source
from tests.rebuild.reader import Arrival, Reader
from tests.rebuild.source import terminals
from tests.servers.postgres import PostgresServer
from tests.servers.process import go_on, wait_until
from tests.servers.rabbitmq import RabbitServer
from tests.servers.standalone import Tickplane

# What the product promises after the broker's return, and we wait for it each time.
SETTLE_S = 30.0
FIRST_S = 60.0
LOOK_S = 0.1
AGENT_ACCOUNTS = 50

DECLARE = """
import json, sys
from accounts import services
from accounts.models import Account, AccountGroup
from accounts.services import tokens
group = AccountGroup.objects.create(name="agent")
_, shared = tokens.create(group=group, name="agent", actor="test")
made = []
for server, login, single, orders_s in json.load(sys.stdin):
    account = Account.objects.create(
        server=server, login=login, provider="push", group=None if single else group,
        orders_s=orders_s,
    )
    secret = tokens.create(account=account, name="", actor="test")[1] if single else shared
    made.append([str(account.uuid), secret])
services.deploy(accounts=Account.objects.all(), actor="test")
print(json.dumps(made))
"""


@dataclass(frozen=True)
class Plan:
    """
    What to do.

    `seconds` of changes; `every_s` between two pushes of an account, on average; `threads` that
    push accounts one by one, beside an agent for each fifty accounts of a fifth of all.
    """

    accounts: int = 500
    seconds: float = 300.0
    away_s: float = 5.0
    every_s: float = 3.0
    threads: int = 20
    # Instead of the contract's interval, to hear of the last prices sooner.
    orders_s: int | None = None
    seed: int = 1
    # Instead of SQLite.
    postgres: bool = False


def run(plan: Plan) -> dict[str, Any]:
    """
    Return the figures of one journey.

    Raises:
        TimeoutError: The consumer did not hold what it should in time; the text says what differs.
    """
    with tempfile.TemporaryDirectory() as name:
        folders = Path(name) / "rabbitmq", Path(name) / "tickplane", Path(name) / "postgres"
        for folder in folders:
            folder.mkdir()
        broker = RabbitServer(folders[0])
        broker.start()
        database = PostgresServer(folders[2])
        environment = {"RABBITMQ_URL": broker.url}
        if plan.postgres:
            database.start()
            environment["DATABASE_URL"] = database.new_database()
        system = Tickplane(
            folders[1],
            "--no-demo",
            **environment,
            TICKPLANE_PUBLISH_LOG_LEVEL="WARNING",
        )
        try:
            system.start()
            return _journey(plan, broker, system)
        finally:
            system.stop()
            broker.stop()
            if plan.postgres:
                database.stop()


def _journey(plan: Plan, broker: RabbitServer, system: Tickplane) -> dict[str, Any]:
    source = _source(plan, system)
    reader = Reader(broker.url)
    try:
        source.start()
        _until_equal(source, reader, FIRST_S, "at first")
        source.change(on=True)
        began = time.monotonic()
        go_on(plan.seconds / 2)

        killed = time.monotonic()
        broker.kill()
        go_on(plan.away_s)
        broker.start()
        back = time.monotonic()
        source.change(on=False)
        changed_s = back - began
        _until_equal(source, reader, SETTLE_S, "after the broker's return")
        equal = time.monotonic()

        source.change(on=True)
        go_on(max(plan.seconds / 2, plan.seconds - changed_s))
        source.change(on=False)
        still = time.monotonic()
        _until_equal(source, reader, SETTLE_S, "at the end")
        settled = time.monotonic()
    finally:
        source.stop()
        reader.stop()
    latencies, missed = structural_latencies(source.sent, reader.arrivals, (killed, equal))
    return {
        "accounts": plan.accounts,
        "exact": plan.accounts - len(reader.differing(source.terminals)),
        "changing_s": round(changed_s + still - equal, 1),
        "pushes": source.pushes,
        "pushes_refused": dict(source.refused),
        "happened": dict(source.happened.most_common()),
        "messages": reader.consumer.messages,
        "batches": reader.consumer.batches,
        "outage_s": round(back - killed, 1),
        "equal_after_return_s": round(equal - back, 1),
        "equal_at_the_end_s": round(settled - still, 1),
        "http_p50_ms": percentile_ms(source.took_s, 50),
        "http_p99_ms": percentile_ms(source.took_s, 99),
        "structural": len(latencies),
        "structural_missed": missed,
        "structural_p50_ms": percentile_ms(latencies, 50),
        "structural_p99_ms": percentile_ms(latencies, 99),
        "structural_max_ms": percentile_ms(latencies, 100),
    }


def _source(plan: Plan, system: Tickplane) -> Source:
    models = terminals(plan.accounts, plan.seed)
    # Every fifth account belongs to an agent, which pushes fifty of them at once.
    single = [number % 5 != 0 for number in range(len(models))]
    asked = [[t.server, t.login, one, plan.orders_s] for t, one in zip(models, single, strict=True)]
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--verbosity=0", "-c", DECLARE],
        cwd=system.cwd,
        env=system.environment(),
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pushed = [Pushed(t, *made) for t, made in zip(models, json.loads(done.stdout), strict=True)]
    alone = [p for p, one in zip(pushed, single, strict=True) if one]
    others = [p for p, one in zip(pushed, single, strict=True) if not one]
    agents = [others[i : i + AGENT_ACCOUNTS] for i in range(0, len(others), AGENT_ACCOUNTS)]
    return Source(system.port, alone, agents, every_s=plan.every_s, threads=plan.threads)


def _until_equal(source: Source, reader: Reader, within_s: float, when: str) -> None:
    def equal() -> bool:
        go_on(LOOK_S)
        return not reader.differing(source.terminals)

    try:
        wait_until(equal, within_s, "equal")
    except TimeoutError:
        differing = reader.differing(source.terminals)
        raise TimeoutError(
            f"{when}, after {within_s:g} s, {len(differing)} accounts differ; refused:"
            f" {dict(source.refused)}; {differing[:3]}"
        ) from None


def structural_latencies(
    sent: dict[tuple[str, str], list[Sent]],
    arrivals: dict[tuple[str, str], list[Arrival]],
    without: tuple[float, float],
) -> tuple[list[float], int]:
    """
    Return the seconds from each push that changed a book to its arrival, and how many never came.

    A book that was overtaken by a later push of the same account has arrived with that.

    Args:
        without: The outage: what was pushed between these moments is left out.
    """
    found: list[float] = []
    missed = 0
    for key, pushes in sent.items():
        came = arrivals.get(key, [])
        for place, (at, _) in enumerate(pushes):
            if without[0] - 1 <= at <= without[1]:
                continue
            books = {later for _, later in pushes[place:]}
            arrived = next((t for t, seen in came if t >= at and seen in books), None)
            if arrived is None:
                missed += 1
            else:
                found.append(arrived - at)
    return found, missed


def percentile_ms(seconds: list[float], percent: int) -> float:
    if not seconds:
        return 0.0
    ranked = sorted(seconds)
    return round(ranked[min(len(ranked) - 1, len(ranked) * percent // 100)] * 1000, 1)
