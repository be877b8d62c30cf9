from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from streams.core import advisory, report, templates

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STREAM = {
    "config": {"name": "MARKET_DATA", "subjects": ["market.>"]},
    "state": {
        "messages": 10, "bytes": 99, "first_seq": 5, "last_seq": 14, "consumer_count": 2,
    },
}  # fmt: skip
VARZ = {
    "server_id": "ID", "server_name": "n1", "version": "2.15.1", "go": "go1.25",
    "host": "127.0.0.1",
    "port": 4222, "http_port": 8222, "max_connections": 1000, "connections": 1,
    "total_connections": 5, "routes": 0, "remotes": 0, "in_msgs": 7, "out_msgs": 6,
    "in_bytes": 70, "out_bytes": 60, "slow_consumers": 1, "cluster": {},
}  # fmt: skip


def test_status_has_the_keys_of_the_contract_in_its_order():
    answer = report.status(
        timestamp="2024-01-01T12:00:00Z", uptime_s=3600, varz=VARZ,
        account={"api": {"errors": 4}, "memory": 1, "storage": 2}, streams=[STREAM],
        consumers=[{"stream_name": "MARKET_DATA", "delivered": {"consumer_seq": 6}}],
        stored={"okx": {"trade": 3}}, measured={"round_trip_ms": 0.2},
        collector=report.Collector("stopped", {"okx": {"trade": 9}}),
    )  # fmt: skip

    assert list(answer) == [
        "service", "timestamp", "uptime_seconds", "nats_server", "jetstream_streams",
        "message_stats", "data", "measured", "jetstream",
    ]  # fmt: skip
    assert answer["data"] == {
        "status": "stopped",
        "collection_stats": {"okx": {"trade": 9}},
        "stored": {"okx": {"trade": 3}},
    }
    assert answer["jetstream"] == {"memory": 1, "storage": 2}
    assert list(answer["nats_server"]["server_info"]) == [
        "server_id", "server_name", "version", "go", "host", "port", "max_connections",
        "connections", "total_connections", "routes", "remotes",
    ]  # fmt: skip
    assert answer["jetstream_streams"] == [
        {
            "name": "MARKET_DATA", "subjects": ["market.>"], "messages": 10, "bytes": 99,
            "consumer_count": 2,
        }
    ]  # fmt: skip
    assert answer["message_stats"] == {"published": 14, "consumed": 6, "errors": 5}


def test_a_server_that_is_away_is_said_to_be():
    answer = report.status(
        timestamp="", uptime_s=0, varz=None, account={}, streams=[], consumers=[],
        stored=None, measured={}, collector=report.Collector(),
    )  # fmt: skip

    assert answer["nats_server"]["status"] == "unreachable"
    assert answer["message_stats"] == {"published": 0, "consumed": 0, "errors": 0}
    assert answer["data"] == {"status": "unreachable", "collection_stats": {}, "stored": {}}


def test_what_was_stored_is_counted_once_from_the_first_message():
    def stream(last_seq, **config):
        config = {"name": "A", "subjects": ["a"], **config}
        return {"config": config, "state": {"last_seq": last_seq}}

    later = stream(1005, first_seq=1000)
    copy = stream(70, subjects=None, mirror={"name": "A"})

    captured = stream(500, name=advisory.STREAM)

    assert report.published([stream(10), stream(0), later, copy, captured]) == 16


def test_reading_our_own_advisories_is_nobodys_consuming():
    def consumer(stream, count):
        return {"stream_name": stream, "delivered": {"consumer_seq": count}}

    assert report.consumed([consumer("A", 3), consumer(advisory.STREAM, 70)]) == 3


def test_rates_are_what_went_through_between_two_looks():
    def look(after_s, messages):
        at = (NOW + timedelta(seconds=after_s)).isoformat()
        return report.look(
            VARZ | {"now": at, "in_msgs": messages, "out_msgs": 2 * messages, "in_bytes": 0}
        )

    assert report.rates(look(0, 100), look(2, 400)) == {
        "over_s": 2.0, "in_msgs_per_s": 150.0, "out_msgs_per_s": 300.0, "in_bytes_per_s": 0.0,
        "out_bytes_per_s": 0.0,
    }  # fmt: skip


def test_a_server_without_counters_is_not_believed():
    with pytest.raises(msgspec.ValidationError):
        report.look({"server_id": "X"})


def test_the_collection_is_told_by_exchange_and_type():
    counts = [
        ("market.okx.BTC-USDT.trade", 3), ("market.okx.ETH-USDT.trade", 4),
        ("market.binance.BTCUSDT.kline.1m", 5), ("market.binance.BTCUSDT.kline.5m", 1),
        ("market.noise", 9), ("system.service.a.b", 9),
    ]  # fmt: skip

    assert report.collected(counts, templates.STANDARD) == {
        "binance": {"kline": 6}, "okx": {"trade": 7},
    }  # fmt: skip


def test_nats_info_has_the_contracts_shape():
    assert report.nats_info(VARZ, 12345) == {
        "status": "running",
        "pid": 12345,
        "ports": {"nats": 4222, "cluster": 0, "http": 8222},
        "server_info": {
            "server_id": "ID", "connections": 1, "in_msgs": 7, "out_msgs": 6,
            "in_bytes": 70, "out_bytes": 60,
        },
    }  # fmt: skip


def test_a_stream_row_has_the_contracts_keys():
    assert list(report.stream_row(STREAM)) == [
        "name", "subjects", "messages", "bytes", "first_seq", "last_seq", "consumer_count",
    ]  # fmt: skip
