from __future__ import annotations

import pytest

from tests.missing import missing
from tests.rebuild.run import Plan, run
from tests.servers.process import ServerMissing

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def test_a_consumer_of_the_contract_rebuilds_every_account_through_a_restart_of_the_broker():
    """`make bench BENCH=accounts-rebuild` is the same with 500 accounts and five minutes."""
    plan = Plan(accounts=60, seconds=10, away_s=1, every_s=1.5, threads=8, orders_s=3)
    try:
        figures = run(plan)
    except ServerMissing as e:
        missing("RabbitMQ", str(e))

    assert figures["exact"] == 60
    assert figures["structural_missed"] == 0
    # Enough happened, and the broker was really away.
    assert figures["structural"] > 50
    assert {"open", "close", "place", "delete", "execute"} <= figures["happened"].keys()
    assert figures["outage_s"] > 1
