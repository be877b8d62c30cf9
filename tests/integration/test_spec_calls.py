"""
Every example call of the message-broker contract, run with curl against the running product.

What the contract prints is here as it prints it: keys, their order and the types of their values.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess

import nats
import pytest

from tests.missing import missing
from tests.servers.process import wait_until

pytestmark = pytest.mark.integration

STATUS = """
{"service":"message-broker-service","timestamp":"2024-01-01T12:00:00Z","uptime_seconds":3600,
 "nats_server":{"status":"running","server_info":{"server_id":"…","server_name":"…","version":"2.10.7","go":"go1.21.5",
   "host":"0.0.0.0","port":4222,"max_connections":1000,"connections":1,"total_connections":5,"routes":0,"remotes":0}},
 "jetstream_streams":[{"name":"MARKET_DATA","subjects":["market.>"],"messages":10000,"bytes":5242880,"consumer_count":2}],
 "message_stats":{"published":10000,"consumed":9500,"errors":5}}
"""
STREAMS = """
{"streams":[{"name":"MARKET_DATA","subjects":["market.>"],"messages":1,"bytes":1,"first_seq":1,"last_seq":1,"consumer_count":1}]}
"""
INFO = """
{"status":"running","pid":12345,"ports":{"nats":4222,"cluster":6222,"http":8222},"server_info":{"server_id":"…","connections":1,"in_msgs":1,"out_msgs":1,"in_bytes":1,"out_bytes":1}}
"""
SUBJECT = "market.binance.BTCUSDT.trade"
DEFAULTS = {
    "MARKET_DATA": ["market.>"],
    "SYSTEM_EVENTS": ["system.>"],
    "SERVICE_LOGS": ["service.>"],
}


def curl(*words):
    """Return the status and the JSON of what curl prints."""
    program = shutil.which("curl") or missing("curl", "the program is not installed")
    done = subprocess.run(
        [program, "--silent", "--show-error", "--max-time", "20", "-w", "\n%{http_code}", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


def shape(value):
    """Return keys in their order, and types; of a list the shapes of its items, each once."""
    if isinstance(value, dict):
        return [(key, shape(each)) for key, each in value.items()]
    if isinstance(value, list):
        shapes = [shape(each) for each in value]
        return [one for number, one in enumerate(shapes) if one not in shapes[:number]]
    return type(value).__name__


def printed(text):
    return shape(json.loads(text))


def test_health(tickplane):
    status, answer = curl(f"{tickplane.url}/health")

    assert status == 200
    assert (answer["status"], answer["nats"]) == ("healthy", "running")


def test_status(tickplane):
    status, answer = curl(f"{tickplane.url}/api/v1/status")

    wanted = printed(STATUS)
    assert status == 200
    assert shape(answer)[: len(wanted)] == wanted
    assert answer["service"] == "message-broker-service"
    assert answer["nats_server"]["status"] == "running"
    rows = {row["name"]: row["subjects"] for row in answer["jetstream_streams"]}
    assert {name: rows.get(name) for name in DEFAULTS} == DEFAULTS
    assert answer["message_stats"]["published"] > 0


def test_status_of_the_collector(tickplane):
    def collected():
        return curl(f"{tickplane.url}/api/v1/status")[1]["data"]

    # The pipeline's rows are written each few seconds.
    wait_until(lambda: collected()["collection_stats"], 15, "the first report of the pipeline")
    data = collected()
    assert data["status"] == "running"
    assert data["stored"]["binance"]["trade"] > 0
    assert data["collection_stats"]["binance"]["trade"] > 0
    assert {type(n) for types in data["collection_stats"].values() for n in types.values()} == {int}


def test_what_goes_through_is_measured(tickplane):
    _status, answer = curl(f"{tickplane.url}/api/v1/status")

    assert answer["measured"]["throughput"]["in_msgs_per_s"] > 0, "the demo moves"
    assert answer["measured"]["round_trip_ms"] > 0
    assert answer["jetstream"]["storage"] > 0


def test_streams(tickplane):
    status, answer = curl(f"{tickplane.url}/api/v1/streams")

    assert status == 200
    assert shape(answer) == printed(STREAMS)


def test_nats_info(tickplane):
    status, answer = curl(f"{tickplane.url}/api/v1/nats/info")

    assert status == 200
    assert shape(answer) == printed(INFO)
    assert answer["status"] == "running"
    assert answer["ports"]["nats"] == int(tickplane.nats_url.rsplit(":", 1)[1])


@pytest.mark.parametrize(
    ("message", "stored"),
    [({"price": "61737.63", "from": "the contract"}, None), ("text", b"text")],
    ids=["object", "text"],
)
def test_publish(tickplane, message, stored):
    body = json.dumps({"subject": SUBJECT, "message": message})
    before = newest(tickplane)

    said = curl(
        *("-X", "POST", "-H", "Content-Type: application/json", "-d", body),
        f"{tickplane.url}/api/v1/publish",
    )
    found = asyncio.run(taken_away(tickplane, stored or message, before))

    assert said == (200, {"success": True})
    assert found


@pytest.mark.parametrize("endpoint", ["varz", "connz", "routez", "subsz", "jsz", "healthz"])
def test_the_servers_own_endpoints_stay_reachable(tickplane, endpoint):
    status, answer = curl(f"{tickplane.running_values()['NATS_MONITOR_URL']}/{endpoint}")

    assert status == 200
    assert answer


def newest(tickplane):
    _status, answer = curl(f"{tickplane.url}/api/v1/streams")
    return next(row["last_seq"] for row in answer["streams"] if row["name"] == "MARKET_DATA")


async def taken_away(tickplane, message, after):
    """Delete the message, which the demo's own may surround; return whether it was there."""
    client = await nats.connect(tickplane.nats_url)
    seq = after + 1
    try:
        while True:
            query = json.dumps({"seq": seq, "next_by_subj": SUBJECT}).encode()
            reply = await client.request("$JS.API.STREAM.MSG.GET.MARKET_DATA", query, timeout=5)
            answer = json.loads(reply.data)
            if "error" in answer:
                return False
            if payload(answer["message"]["data"]) == message:
                break
            seq = answer["message"]["seq"] + 1
        query = json.dumps({"seq": answer["message"]["seq"]}).encode()
        await client.request("$JS.API.STREAM.MSG.DELETE.MARKET_DATA", query, timeout=5)
    finally:
        await client.close()
    return True


def payload(encoded):
    found = base64.b64decode(encoded)
    try:
        return json.loads(found)
    except ValueError:
        return found
