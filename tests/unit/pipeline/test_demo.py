"""The demo's sources: what the simulator speaks, and what may stand in rows."""

from __future__ import annotations

import pytest

from pipeline import services
from pipeline.core.simulate.instrument import BY_VENUE
from pipeline.core.venues import VENUES
from pipeline.models import DataSource

pytestmark = pytest.mark.django_db


def test_every_exchange_has_a_source_that_may_stand_as_it_is():
    services.declare_demo_sources(endpoint="ws://127.0.0.1:1")

    found = list(DataSource.objects.all())
    assert {source.venue for source in found} == {"binance", "okx", "deribit"}
    for source in found:
        source.full_clean()
        assert source.is_demo
        assert set(source.types) == set(VENUES[source.venue].types)


def test_the_simulator_has_every_symbol_that_is_asked_for():
    services.declare_demo_sources(endpoint="ws://127.0.0.1:1")

    for source in DataSource.objects.all():
        made_up = {instrument.symbol for instrument in BY_VENUE[source.venue]}
        indices = {"btc_usd", "eth_usd"} if source.venue == "deribit" else set()
        assert set(source.symbols) <= made_up | indices


def test_all_of_them_follow_the_simulator_and_one_that_was_changed_stays_so():
    services.declare_demo_sources(endpoint="ws://127.0.0.1:1")
    DataSource.objects.filter(name="okx-demo").update(enabled=False, symbols=["ETH-USDT"])
    DataSource.objects.filter(name="deribit-demo").delete()

    services.move_demo_source(endpoint="ws://127.0.0.1:2")

    found = {source.name: source for source in DataSource.objects.all()}
    assert set(found) == {"binance-demo", "okx-demo"}
    assert {source.endpoint for source in found.values()} == {"ws://127.0.0.1:2"}
    assert {source.rest_endpoint for source in found.values()} == {"http://127.0.0.1:2"}
    assert (found["okx-demo"].enabled, found["okx-demo"].symbols) == (False, ["ETH-USDT"])
