from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError

from pipeline import services
from pipeline.core.status import SourceStatus, State
from pipeline.models import DataSource

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BEGAN = 1_700_000_000_000_000_000


def row(name="a", **more):
    return DataSource.objects.create(name=name, endpoint="ws://127.0.0.1:1/stream", **more)


def status(source_id="a", **more):
    return SourceStatus(
        **(
            {
                "source_id": source_id,
                "began_ns": BEGAN,
                "state": State.RUNNING,
                "since_ns": BEGAN + 1_000,
            }
            | more
        )
    )


def record(*found, before=()):
    services.record_status(
        sources=found, before={status.source_id: status for status in before}, now=NOW
    )


def test_only_enabled_sources_run():
    row("a")
    row("b", enabled=False)

    assert [spec.source_id for spec in services.specs()] == ["a"]


def test_a_row_becomes_a_spec_with_all_its_settings():
    row(silence_s=3, reconnect_interval=2, max_reconnect_attempts=4, buffer_size=32_768)

    (spec,) = services.specs()

    assert (spec.protocol, spec.venue) == ("websocket", "binance")
    assert (spec.silence_s, spec.reconnect_interval) == (3, 2)
    assert (spec.max_reconnect_attempts, spec.buffer_size) == (4, 32_768)


def test_what_the_worker_says_is_written():
    row()

    record(status(received=7, published=5, undecodable=2, last_message_ns=BEGAN, last_error="x"))

    found = DataSource.objects.get()
    assert (found.received, found.published, found.undecodable) == (7, 5, 2)
    assert (found.state, found.last_error) == ("running", "x")
    assert found.state_since == datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC)
    assert found.last_message_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_counters_outlive_the_worker():
    row()
    first, second = status(received=10), status(received=15)
    record(first)
    record(second, before=[first])

    record(status(received=3, began_ns=BEGAN + 1), before=[second])

    assert DataSource.objects.get().received == 18


def test_what_did_not_change_is_not_written(django_assert_num_queries):
    row()
    same = status(received=10)
    record(same)

    with django_assert_num_queries(3):  # A transaction around the look for rows that stopped.
        record(same, before=[same])

    assert DataSource.objects.get().received == 10


def test_a_row_that_the_worker_does_not_name_is_stopped():
    row("a")
    row("b")
    record(status("a"), status("b"))

    record(status("a"), before=[status("a"), status("b")])

    assert DataSource.objects.get(name="b").state == DataSource.State.STOPPED
    assert DataSource.objects.get(name="b").state_since == NOW
    assert DataSource.objects.get(name="a").state == DataSource.State.RUNNING


def test_a_status_of_a_deleted_row_is_no_error():
    record(status("gone"))

    assert not DataSource.objects.exists()


def test_when_the_pipeline_ends_nothing_runs():
    row()
    record(status())

    services.record_stop(now=NOW)

    assert DataSource.objects.get().state == DataSource.State.STOPPED


def test_the_demo_is_declared_once_and_follows_its_exchange():
    first = services.declare_demo_source(endpoint="ws://127.0.0.1:1")
    services.disable(sources=DataSource.objects.all())

    second = services.declare_demo_source(endpoint="ws://127.0.0.1:2/stream?streams=x@trade")

    assert first.endpoint.startswith("ws://127.0.0.1:1/stream?streams=btcusdt@trade/")
    first.full_clean(exclude=["name"])
    found = DataSource.objects.get()
    assert found.pk == second.pk
    assert (found.name, found.is_demo, found.enabled) == ("binance-demo", True, False)
    assert found.endpoint == "ws://127.0.0.1:2/stream?streams=x@trade"


@pytest.mark.parametrize(
    "endpoint",
    [
        "ws://127.0.0.1:9450/stream?streams=btcusdt@trade/btcusdt@depth@100ms",
        "wss://stream.binance.com:9443/stream?streams=btcusdt@trade",
        "ws://[::1]:9450/ws",
    ],
)
def test_websocket_urls_are_endpoints(endpoint):
    DataSource(name="a", endpoint=endpoint).full_clean()


@pytest.mark.parametrize(
    "endpoint",
    [
        "", "x", "http://host/", "ws://", "ws:///path", "ws://host:0/", "ws://host:99999/",
        "ws://host:x/", "ws://user:hush@host/", "ws://user@host/", "ws://ho st/", "ws://host/\n",
        "ws://host/#part", "ws://[::1/", "ws://host/?a\tb",
    ],
)  # fmt: skip
def test_other_endpoints_are_refused(endpoint):
    with pytest.raises(ValidationError) as caught:
        DataSource(name="a", endpoint=endpoint).full_clean()

    assert set(caught.value.message_dict) == {"endpoint"}
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "bad",
    [
        {"silence_s": 0}, {"reconnect_interval": 0}, {"buffer_size": 100}, {"name": "a b"},
        {"protocol": "fix"}, {"venue": "okx"},
    ],
)  # fmt: skip
def test_bad_settings_name_their_field(bad):
    with pytest.raises(ValidationError) as caught:
        DataSource(**({"name": "a", "endpoint": "ws://host/"} | bad)).full_clean()

    assert set(bad) <= set(caught.value.message_dict)


def test_a_demo_source_that_was_deleted_stays_deleted():
    services.declare_demo_source(endpoint="ws://127.0.0.1:1")
    services.move_demo_source(endpoint="ws://127.0.0.1:2")
    moved = DataSource.objects.get(is_demo=True).endpoint
    DataSource.objects.all().delete()
    services.move_demo_source(endpoint="ws://127.0.0.1:3")

    assert moved.startswith("ws://127.0.0.1:2/stream?streams=")
    assert not DataSource.objects.exists()
