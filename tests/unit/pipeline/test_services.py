from __future__ import annotations

from datetime import UTC, datetime, timedelta

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


def epochs(specs):
    return {spec.source_id: spec.epoch for spec in specs}


def test_a_source_begins_an_epoch_when_a_worker_begins_it():
    row("a")
    row("b")
    clock = int(NOW.timestamp())

    first = services.orders(sent=(), now=NOW)
    same = services.orders(sent=first, now=NOW)
    anew = services.orders(sent=(), now=NOW)

    assert epochs(first) == {"a": clock, "b": clock + 1}
    assert same == first
    assert epochs(anew) == {"a": clock + 2, "b": clock + 3}
    assert epochs(services.specs()) == epochs(anew)


def test_only_a_changed_source_begins_an_epoch():
    row("a")
    row("b")
    first = services.orders(sent=(), now=NOW)
    DataSource.objects.filter(name="b").update(silence_s=7)

    second = services.orders(sent=first, now=NOW + timedelta(hours=1))

    assert epochs(second)["a"] == epochs(first)["a"]
    assert epochs(second)["b"] == int(NOW.timestamp()) + 3600


def test_a_source_that_was_deleted_and_made_again_numbers_no_epoch_twice():
    row("a")
    first = services.orders(sent=(), now=NOW)
    DataSource.objects.all().delete()
    row("a")

    second = services.orders(sent=(), now=NOW + timedelta(seconds=1))

    assert epochs(second)["a"] > epochs(first)["a"]


def test_a_row_that_cannot_be_runs_not_and_stops_no_other():
    row("a")
    row("b", handshake={"send": "hush"})

    found = services.specs()

    assert [spec.source_id for spec in found] == ["a"]
    refused = DataSource.objects.get(name="b").last_error
    assert refused.startswith("handshake: Expected `array`")
    assert "hush" not in refused


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


def test_counters_by_name_outlive_the_worker_too():
    row()
    first = status(by_type={"trade": 5}, gaps=1, problems={"json": 2}, channels=3, links=2)
    second = status(by_type={"trade": 7, "ticker": 1}, gaps=1, stale=1, problems={"json": 2})
    record(first)
    record(second, before=[first])

    record(status(by_type={"trade": 1}, gaps=2, began_ns=BEGAN + 1), before=[second])

    found = DataSource.objects.get()
    assert found.by_type == {"trade": 8, "ticker": 1}
    assert found.troubles == {"gaps": 3, "stale": 1, "undecodable:json": 2}


def test_channels_and_links_are_those_of_now():
    row()
    record(status(channels=3, links=2))
    running = DataSource.objects.get()

    services.record_stop(now=NOW)

    stopped = DataSource.objects.get()
    assert (running.channels, running.links) == (3, 2)
    assert (stopped.channels, stopped.links) == (0, 0)


@pytest.mark.parametrize("spoilt", [[], None, "x", {"trade": "x", "ticker": -1, "orderbook": 2}])
def test_counters_that_a_hand_spoilt_begin_anew(spoilt):
    row(by_type=spoilt if spoilt is not None else 7)

    record(status(by_type={"trade": 5}))

    assert DataSource.objects.get().by_type["trade"] == 5


def test_the_pipeline_is_alive_while_it_reports():
    row("a")
    row("b")
    record(status("a"))
    quiet = services.is_alive(now=NOW)
    services.record_seen(names=["a"], now=NOW)

    assert not quiet
    assert services.is_alive(now=NOW + timedelta(seconds=29))
    assert not services.is_alive(now=NOW + timedelta(seconds=31))
    services.record_stop(now=NOW)
    assert not services.is_alive(now=NOW)


def test_a_source_that_a_worker_was_told_of_is_connecting():
    row("a")
    row("b")
    record(status("b"))

    services.record_begun(names=["a", "b"], now=NOW)

    assert services.is_alive(now=NOW)
    assert DataSource.objects.get(name="a").state == DataSource.State.CONNECTING
    assert DataSource.objects.get(name="b").state == DataSource.State.RUNNING


def test_what_was_collected_is_told_by_exchange_and_type():
    row("a", by_type={"trade": 5, "ticker": 1})
    row("b", by_type={"trade": 2})
    row("c", venue="okx", by_type={"orderbook": 3})
    row("d", venue="deribit")

    assert services.collection_stats() == {
        "binance": {"ticker": 1, "trade": 7},
        "okx": {"orderbook": 3},
    }


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
        "x", "http://host/", "ws://", "ws:///path", "ws://host:0/", "ws://host:99999/",
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
        {"protocol": "fix"}, {"venue": "kraken"}, {"linger_ms": 2}, {"renew_at": "25:00"},
        {"rest_endpoint": "https://u:p@host"}, {"link_life_s": -1}, {"ping_every_s": 0},
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
