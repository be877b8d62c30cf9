from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from controlplane import views
from pipeline.models import DataSource

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def row(**more):
    values = {"name": "a", "endpoint": "ws://h/", "state": "running", "seen_at": NOW}
    return DataSource.objects.create(**(values | more))


def test_it_runs_while_the_pipeline_reports():
    row(by_type={"trade": 3})

    assert views.collector(NOW).status == "running"
    assert views.collector(NOW).published == {"binance": {"trade": 3}}
    assert views.collector(NOW + timedelta(minutes=1)).status == "stopped"


def test_where_nothing_is_to_be_collected_nothing_has_stopped():
    row(enabled=False, state="stopped")

    assert views.collector(NOW).status == "running"


def test_the_call_tells_it_beside_the_broker(admin_client, settings):
    settings.NATS_MONITOR_URL = "http://127.0.0.1:1"
    row(by_type={"trade": 3})

    data = admin_client.get("/api/v1/status").json()["data"]

    assert data == {
        "status": "unreachable", "collection_stats": {"binance": {"trade": 3}}, "stored": {},
    }  # fmt: skip
