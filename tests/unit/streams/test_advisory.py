from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import advisory

CLIENT = {"user": "anna", "host": "10.0.0.1", "name": "cli", "jwt": "ey", "start": "x", "rtt": 5}
PEERS = [{"name": "n1"}, {"name": "n2"}]


def told(kind, **more):
    return json.dumps(
        {
            "type": f"io.nats.jetstream.advisory.v1.{kind}",
            "id": "m8pqEWvO64wh47xdLtq0bj",
            "timestamp": "2026-11-20T14:30:04.277768098Z",
            **more,
        }
    ).encode()


def audit(subject, response="{}", **more):
    return told("api_audit", server="N", client=CLIENT, subject=subject, response=response, **more)


def test_an_event_becomes_a_row():
    found = advisory.parse(told("stream_leader_elected", stream="A", leader="n1", replicas=PEERS))

    assert found == advisory.Advisory(
        id="m8pqEWvO64wh47xdLtq0bj",
        at=datetime(2026, 11, 20, 14, 30, 4, 277768, UTC),
        kind="stream_leader_elected",
        stream="A",
        consumer="",
        text="leader n1 among n1, n2",
        data={"stream": "A", "leader": "n1", "replicas": PEERS},
    )


@pytest.mark.parametrize(
    ("kind", "more", "text"),
    [
        ("stream_action", {"action": "delete"}, "delete"),
        ("consumer_quorum_lost", {"replicas": PEERS}, "no quorum among n1, n2"),
        (
            "max_deliver",
            {"stream_seq": 7, "deliveries": 5},
            "message 7 given up after 5 deliveries",
        ),
        ("terminated", {"stream_seq": 7, "reason": "bad"}, "message 7 terminated: bad"),
        ("consumer_pause", {"paused": True, "pause_until": "2030"}, "paused until 2030"),
        ("consumer_pause", {"paused": False}, "resumed"),
        (
            "snapshot_complete",
            {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:01.5Z", "error": "no"},
            "1.500 s: no",
        ),
        ("something_new", {"x": 1}, ""),
    ],
)
def test_the_line_says_what_happened(kind, more, text):
    found = advisory.parse(told(kind, stream="A", consumer="c", **more))

    assert found is not None
    assert (found.kind, found.stream, found.consumer, found.text) == (kind, "A", "c", text)


@pytest.mark.parametrize(
    ("call", "stream", "consumer"),
    [
        ("STREAM.CREATE.A", "A", ""),
        ("STREAM.MSG.DELETE.A", "A", ""),
        ("STREAM.PEER.REMOVE.A", "A", ""),
        ("CONSUMER.CREATE.A.c.filter.>", "A", "c"),
        ("CONSUMER.DURABLE.CREATE.A.c", "A", "c"),
        ("META.LEADER.STEPDOWN", "", ""),
    ],
)
@pytest.mark.parametrize("prefix", ["$JS.API.", "$JS.hub.API."])
def test_a_change_is_told_with_who_made_it(prefix, call, stream, consumer):
    found = advisory.parse(audit(prefix + call, request='{"a":1}'))

    assert found is not None
    assert (found.stream, found.consumer) == (stream, consumer)
    assert found.text == f"{call} by anna cli 10.0.0.1"
    assert found.data["client"] == {"user": "anna", "name": "cli", "host": "10.0.0.1"}
    assert found.data["request"] == '{"a":1}'


def test_a_refusal_is_told_with_its_reason():
    found = advisory.parse(
        audit("$JS.API.STREAM.PURGE.A", '{"error":{"code":404,"description":"not found"}}')
    )

    assert found is not None
    assert found.text.endswith(": refused: not found")


@pytest.mark.parametrize(
    "call",
    [
        "STREAM.INFO.A",
        "STREAM.LIST",
        "STREAM.MSG.GET.A",
        "CONSUMER.LIST.A",
        "INFO",
        "STREAM.SNAPSHOT.A",
    ],
)
def test_who_only_looked_is_not_told(call):
    assert advisory.parse(audit(f"$JS.API.{call}")) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        told("stream_action", id=""),
        told("stream_action", timestamp="yesterday"),
        told("stream_action", timestamp="2026-01-01T00:00:00"),
        told("stream_action", type=None, timestamp=7),
        told("stream_leader_elected", replicas=7),
        told("snapshot_complete", start=1),
        audit(7),
        told("stream_action", stream="a\0b"),
    ],
)
def test_what_is_no_advisory_is_left_out(payload):
    assert advisory.parse(payload) is None


def test_what_is_long_is_cut():
    found = advisory.parse(
        told("stream_action", stream="s" * 999, action="a" * 999, big=["x" * 100] * 500, small=1)
    )

    assert found is not None
    assert (len(found.stream), len(found.text)) == (255, 300)
    assert found.data["small"] == 1
    assert len(msgspec.json.encode(found.data)) <= advisory.LONGEST_DATA


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.sampled_from([*advisory._LINES, "api_audit", "other"]), st.dictionaries(
    st.sampled_from(["stream", "consumer", "replicas", "client", "subject", "response", "request",
                     "start", "end", "action", "timestamp", "id"]), JSON))  # fmt: skip
def test_whatever_a_stranger_sends_is_a_row_or_nothing(kind, more):
    found = advisory.parse(told(kind, **more))

    assert found is None or len(found.text) <= 300


@pytest.mark.parametrize(
    "timestamp", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:10:00Z"]
)
def test_a_moment_at_the_end_of_the_calendar_is_a_strangers(timestamp):
    assert advisory.parse(told("stream_action", timestamp=timestamp)) is None


def test_what_is_nested_deeply_is_left_out():
    deep = b'{"type": "a.b", "id": "c", "timestamp": "2026-01-01T00:00:00Z", "flat": 1, "deep": %b}'

    found = advisory.parse(deep % (b"[" * 900 + b"]" * 900))

    assert found is not None
    assert found.data == {"flat": 1}
