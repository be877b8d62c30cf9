from __future__ import annotations

from streams.core import report

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
        account={"api": {"errors": 4}}, streams=[STREAM],
    )  # fmt: skip

    assert list(answer) == [
        "service", "timestamp", "uptime_seconds", "nats_server", "jetstream_streams",
        "message_stats",
    ]  # fmt: skip
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
    answer = report.status(timestamp="", uptime_s=0, varz=None, account={}, streams=[])

    assert answer["nats_server"]["status"] == "unreachable"
    assert answer["message_stats"] == {"published": 0, "consumed": 0, "errors": 0}


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
