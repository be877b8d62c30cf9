"""The tables of fields, held against a real nats-server: it takes each, and has no other."""

from __future__ import annotations

from typing import Any

import pytest

from streams.broker.link import Link
from streams.core import fields, values
from streams.core.errors import ApiRefused
from streams.core.fields import CONSUMER_FIELDS, STREAM_FIELDS
from streams.core.movement import way

pytestmark = pytest.mark.integration

Config = dict[str, Any]

NAME = "FIELDS"
ORIGIN = "FIELDS_ORIGIN"
SECOND = 1_000_000_000
TIME = "2026-01-31T12:00:00.5Z"
MIRROR = {"name": ORIGIN}
TRANSFORM = {"src": "fields.>", "dest": "there.>"}
ELSEWHERE = {"api": "$JS.elsewhere.API", "deliver": "elsewhere"}
FILLED_SOURCE = {
    "name": ORIGIN,
    "opt_start_seq": 7,
    "subject_transforms": [TRANSFORM],
    "external": ELSEWHERE,
}

# By field: a stream that has it, and what is then changed.
STREAMS: dict[str, tuple[Config, Config]] = {
    "name": ({}, {}),
    "description": ({"description": "one"}, {"description": "other"}),
    "metadata": ({"metadata": {"a": "1"}}, {"metadata": {"b": "2"}}),
    "subjects": ({"subjects": ["fields.a", "fields.b.>"]}, {"subjects": ["fields.c"]}),
    "subject_transform": ({"subject_transform": TRANSFORM}, {"subject_transform": None}),
    "republish": (
        {"republish": {"src": "fields.>", "dest": "again.>", "headers_only": True}},
        {"republish": {"dest": "anew.>"}},
    ),
    "mirror": ({"subjects": [], "mirror": MIRROR}, {"mirror": None, "subjects": ["fields.x"]}),
    "sources": ({"sources": [FILLED_SOURCE]}, {"sources": [{"name": ORIGIN}]}),
    "retention": ({"retention": "interest"}, {"retention": "limits"}),
    "max_age": ({"max_age": 600 * SECOND}, {"max_age": 300 * SECOND}),
    "max_msgs": ({"max_msgs": 5}, {"max_msgs": -1}),
    "max_bytes": ({"max_bytes": 5000}, {"max_bytes": 4000}),
    "max_msgs_per_subject": ({"max_msgs_per_subject": 5}, {"max_msgs_per_subject": 4}),
    "discard": ({"discard": "new"}, {"discard": "old"}),
    "discard_new_per_subject": (
        {"discard": "new", "max_msgs_per_subject": 5, "discard_new_per_subject": True},
        {"discard_new_per_subject": False},
    ),
    "max_msg_size": ({"max_msg_size": 500}, {"max_msg_size": 400}),
    "allow_msg_ttl": ({"allow_msg_ttl": True}, {"allow_msg_ttl": False}),
    "subject_delete_marker_ttl": (
        {"subject_delete_marker_ttl": SECOND, "allow_msg_ttl": True, "allow_rollup_hdrs": True},
        {"subject_delete_marker_ttl": 2 * SECOND},
    ),
    "storage": ({"storage": "memory"}, {"storage": "file"}),
    # A single server has one replica and places nothing: that these are taken is all it can show.
    "num_replicas": ({"num_replicas": 1}, {}),
    "placement": ({}, {"placement": {"tags": ["ssd"]}}),
    "compression": ({"compression": "s2"}, {"compression": "none"}),
    "persist_mode": ({"persist_mode": "async"}, {"persist_mode": "default"}),
    "first_seq": ({"first_seq": 9}, {"first_seq": 8}),
    "duplicate_window": ({"duplicate_window": SECOND}, {"duplicate_window": 2 * SECOND}),
    "no_ack": ({"no_ack": True}, {"no_ack": False}),
    "allow_direct": ({"allow_direct": True}, {"allow_direct": False}),
    "mirror_direct": (
        {"subjects": [], "mirror": {**MIRROR, "external": ELSEWHERE}, "mirror_direct": True},
        {"mirror_direct": False},
    ),
    "allow_rollup_hdrs": ({"allow_rollup_hdrs": True}, {"allow_rollup_hdrs": False}),
    "deny_delete": ({"deny_delete": True}, {"deny_delete": False}),
    "deny_purge": ({"deny_purge": True}, {"deny_purge": False}),
    "sealed": ({}, {"sealed": True}),
    "allow_batched": ({"allow_batched": True}, {"allow_batched": False}),
    "allow_atomic": ({"allow_atomic": True}, {"allow_atomic": False}),
    "allow_msg_counter": ({"allow_msg_counter": True}, {"allow_msg_counter": False}),
    "allow_msg_schedules": (
        {"allow_msg_schedules": True, "allow_rollup_hdrs": True},
        {"allow_msg_schedules": False},
    ),
    "max_consumers": ({"max_consumers": 5}, {"max_consumers": 6}),
    "consumer_limits": (
        {"consumer_limits": {"inactive_threshold": SECOND, "max_ack_pending": 9}},
        {"consumer_limits": {"max_ack_pending": 8}},
    ),
}  # fmt: skip

PUSH: Config = {"deliver_subject": "to.me", "ack_policy": "explicit"}
PULL: Config = {"ack_policy": "explicit"}
PINNED: Config = {
    "priority_policy": "pinned_client",
    "priority_groups": ["a"],
    "ack_policy": "explicit",
}

CONSUMERS: dict[str, tuple[Config, Config]] = {
    "durable_name": (PULL, {}),
    "name": (PULL, {}),
    "description": ({**PULL, "description": "one"}, {"description": "other"}),
    "metadata": ({**PULL, "metadata": {"a": "1"}}, {"metadata": {"b": "2"}}),
    "filter_subject": ({**PULL, "filter_subject": "fields.a"}, {"filter_subject": "fields.b"}),
    "filter_subjects": (
        {**PULL, "filter_subjects": ["fields.a", "fields.b"]},
        {"filter_subjects": ["fields.c"]},
    ),
    "deliver_policy": ({**PULL, "deliver_policy": "new"}, {"deliver_policy": "all"}),
    "opt_start_seq": (
        {**PULL, "deliver_policy": "by_start_sequence", "opt_start_seq": 5},
        {"opt_start_seq": 6},
    ),
    "opt_start_time": (
        {**PULL, "deliver_policy": "by_start_time", "opt_start_time": TIME},
        {"opt_start_time": "2027-01-31T12:00:00Z"},
    ),
    "replay_policy": ({**PULL, "replay_policy": "original"}, {"replay_policy": "instant"}),
    "headers_only": ({**PULL, "headers_only": True}, {"headers_only": False}),
    "ack_policy": ({"ack_policy": "all"}, {"ack_policy": "explicit"}),
    "ack_wait": ({**PULL, "ack_wait": SECOND}, {"ack_wait": 2 * SECOND}),
    "max_deliver": ({**PULL, "max_deliver": 5}, {"max_deliver": -1}),
    "backoff": (
        {**PULL, "backoff": [SECOND, 2 * SECOND]},
        {"backoff": [3 * SECOND], "ack_wait": 3 * SECOND},
    ),
    "max_ack_pending": ({**PULL, "max_ack_pending": 5}, {"max_ack_pending": -1}),
    "sample_freq": ({**PULL, "sample_freq": "50%"}, {"sample_freq": "60"}),
    "max_waiting": ({**PULL, "max_waiting": 5}, {"max_waiting": 6}),
    "max_batch": ({**PULL, "max_batch": 5}, {"max_batch": 6}),
    "max_expires": ({**PULL, "max_expires": SECOND}, {"max_expires": 2 * SECOND}),
    "max_bytes": ({**PULL, "max_bytes": 5000}, {"max_bytes": 6000}),
    "priority_policy": (PINNED, {"priority_policy": "overflow", "priority_timeout": 0}),
    "priority_groups": (PINNED, {"priority_groups": ["b"]}),
    "priority_timeout": (
        {**PINNED, "priority_timeout": SECOND},
        {"priority_timeout": 2 * SECOND},
    ),
    "deliver_subject": (PUSH, {"deliver_subject": "to.you"}),
    "deliver_group": ({**PUSH, "deliver_group": "g"}, {"deliver_group": "h"}),
    "flow_control": (
        {**PUSH, "flow_control": True, "idle_heartbeat": SECOND},
        {"flow_control": False},
    ),
    "idle_heartbeat": ({**PUSH, "idle_heartbeat": SECOND}, {"idle_heartbeat": 2 * SECOND}),
    "rate_limit_bps": ({**PUSH, "rate_limit_bps": 5000}, {"rate_limit_bps": 6000}),
    "num_replicas": ({**PULL, "num_replicas": 1}, {"num_replicas": 0}),
    "mem_storage": ({**PULL, "mem_storage": True}, {"mem_storage": False}),
    "inactive_threshold": (
        {**PULL, "inactive_threshold": 60 * SECOND},
        {"inactive_threshold": 90 * SECOND},
    ),
    # An update leaves it alone without a word: see its own test.
    "pause_until": ({**PULL, "pause_until": "2099-01-31T12:00:00Z"}, {}),
    # Of consumers without a durable name only: see its own test.
    "direct": (PULL, {}),
    "sourcing": (PULL, {}),
}  # fmt: skip


@pytest.fixture(scope="module")
def api(nats_server):
    link = Link(nats_server.url, "fields")
    link.api(f"STREAM.CREATE.{ORIGIN}", {"name": ORIGIN, "subjects": ["origin.>"]})
    yield link.api
    link.api(f"STREAM.DELETE.{ORIGIN}")
    link.close()


@pytest.fixture
def stream(api):
    """Create the stream of a test; it is deleted afterwards."""

    def create(config):
        body = {"name": NAME, "subjects": ["fields.>"], **config}
        return api(f"STREAM.CREATE.{NAME}", body)["config"]

    yield create
    if NAME in (api("STREAM.NAMES")["streams"] or ()):
        api(f"STREAM.DELETE.{NAME}")


def same(table, field, one, other):
    return values.amounts_to(table[field], one) == values.amounts_to(table[field], other)


def accepted(call):
    """Return whether the server accepted it."""
    try:
        call()
    except ApiRefused:
        return False
    return True


def expected(table, field, before, after):
    old, new = (values.amounts_to(table[field], side) for side in (before, after))
    return way(table[field], old, new) != "refused"


def test_every_field_has_its_example():
    assert STREAMS.keys() == STREAM_FIELDS.keys()
    assert CONSUMERS.keys() == CONSUMER_FIELDS.keys()


@pytest.mark.parametrize("field", STREAMS)
def test_a_stream_is_as_the_table_says(api, stream, field):
    config, change = STREAMS[field]
    body = {"subjects": ["fields.>"], **config}

    assert fields.check(body, STREAM_FIELDS) == {}
    made = stream(config)
    seen = api(f"STREAM.INFO.{NAME}")["config"]
    taken = accepted(lambda: api(f"STREAM.UPDATE.{NAME}", {**seen, **change}))
    after = api(f"STREAM.INFO.{NAME}")["config"]

    assert made.keys() <= STREAM_FIELDS.keys()
    for name, value in config.items():
        assert same(STREAM_FIELDS, name, seen.get(name), value), name
    if field in change:
        assert not same(STREAM_FIELDS, field, seen.get(field), change[field])
        assert taken == expected(STREAM_FIELDS, field, seen.get(field), change[field])
        assert same(STREAM_FIELDS, field, after.get(field), (change if taken else seen).get(field))


@pytest.mark.parametrize("field", CONSUMERS)
def test_a_consumer_is_as_the_table_says(api, stream, field):
    config, change = CONSUMERS[field]
    stream({})
    verb, names = f"CONSUMER.CREATE.{NAME}.c", {"name": "c", "durable_name": "c"}

    def put(body, action):
        return api(verb, {"stream_name": NAME, "config": body, "action": action})

    assert fields.check(config, CONSUMER_FIELDS) == {}
    put({**config, **names}, "create")
    seen = api(f"CONSUMER.INFO.{NAME}.c")["config"]
    taken = accepted(lambda: put({**seen, **change}, "update"))
    after = api(f"CONSUMER.INFO.{NAME}.c")["config"]

    assert seen.keys() <= CONSUMER_FIELDS.keys()
    for name, value in config.items():
        assert same(CONSUMER_FIELDS, name, seen.get(name), value), name
    if field in change:
        assert not same(CONSUMER_FIELDS, field, seen.get(field), change[field])
        assert taken == expected(CONSUMER_FIELDS, field, seen.get(field), change[field])
        assert same(
            CONSUMER_FIELDS, field, after.get(field), (change if taken else seen).get(field)
        )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sealed", False), ("deny_delete", True), ("deny_purge", True), ("allow_msg_ttl", True),
        ("allow_msg_schedules", True), ("allow_msg_counter", True), ("retention", "workqueue"),
        ("mirror", MIRROR), ("persist_mode", "async"),
    ],
)  # fmt: skip
def test_what_was_never_set_may_be_set_as_the_table_says(api, stream, field, value):
    before = stream({"allow_direct": True})
    if field == "sealed":
        before = api(f"STREAM.UPDATE.{NAME}", {**before, "sealed": True})["config"]

    taken = accepted(lambda: api(f"STREAM.UPDATE.{NAME}", {**before, field: value}))

    assert taken == expected(STREAM_FIELDS, field, before.get(field), value)


def test_a_pull_consumer_never_becomes_a_push_consumer_nor_the_other_way(api, stream):
    stream({})
    names = {"name": "c", "durable_name": "c"}
    verb = f"CONSUMER.CREATE.{NAME}.c"
    for before, after in ((PULL, PUSH), (PUSH, PULL)):
        api(verb, {"stream_name": NAME, "config": {**before, **names}})
        change = {"stream_name": NAME, "config": {**after, **names}, "action": "update"}

        taken = accepted(lambda body=change: api(verb, body))

        old, new = before.get("deliver_subject", ""), after.get("deliver_subject", "")
        assert taken == expected(CONSUMER_FIELDS, "deliver_subject", old, new)
        api(f"CONSUMER.DELETE.{NAME}.c")


def test_an_update_neither_pauses_nor_resumes(api, stream):
    stream({})
    config = {**PULL, "name": "c", "durable_name": "c", "pause_until": "2099-01-31T12:00:00Z"}
    body = {"stream_name": NAME, "config": config, "action": "create"}
    api(f"CONSUMER.CREATE.{NAME}.c", body)
    later = {**config, "pause_until": "2099-02-01T12:00:00Z"}

    api(f"CONSUMER.CREATE.{NAME}.c", {**body, "config": later, "action": "update"})

    after = api(f"CONSUMER.INFO.{NAME}.c")["config"]
    assert after["pause_until"] == config["pause_until"]


def test_a_stream_is_not_sealed_at_creation(stream):
    assert not accepted(lambda: stream({"sealed": True}))


def test_the_servers_defaults_are_the_tables(api, stream):
    made = stream({})
    for name, field in STREAM_FIELDS.items():
        if field.default is not None and name not in ("name", "subjects"):
            assert values.amounts_to(field, made.get(name)) == values.unset(field), name
    consumer = api(
        f"CONSUMER.CREATE.{NAME}.c",
        {"stream_name": NAME, "config": {"name": "c", "durable_name": "c"}},
    )["config"]
    for name, field in CONSUMER_FIELDS.items():
        if field.default is not None and name not in ("name", "durable_name"):
            assert values.amounts_to(field, consumer.get(name)) == values.unset(field), name


WRONG_STREAMS: list[Config] = [
    {"max_age": 50_000_000},
    {"max_age": -1},
    {"max_age": SECOND, "duplicate_window": 2 * SECOND},
    {"subjects": ["a.>", "a.b"]},
    {"subjects": ["a..b"]},
    {"subjects": [">"]},
    {"subjects": ["$JS.API.>"]},
    {"mirror": MIRROR, "subjects": ["a"]},
    {"mirror": MIRROR, "first_seq": 5, "subjects": []},
    {"mirror": {**MIRROR, "filter_subject": "a", "subject_transforms": [TRANSFORM]}},
    {"sources": [{"filter_subject": "a"}]},
    {"discard_new_per_subject": True},
    {"discard": "new", "discard_new_per_subject": True},
    {"deny_purge": True, "allow_rollup_hdrs": True},
    {"allow_msg_counter": True, "allow_msg_ttl": True},
    {"allow_msg_counter": True, "discard": "new"},
    {"persist_mode": "async", "storage": "memory"},
    {"persist_mode": "async", "allow_atomic": True},
    {"allow_msg_schedules": True, "discard": "new"},
    {"subject_delete_marker_ttl": 5},
    {"republish": {"src": ">", "dest": "fields.>"}},
    {"placement": {"preferred": "n1"}},
    {"num_replicas": 6},
    {"mirror_direct": True},
    {"description": "x" * 5000},
    {"retention": "sometimes"},
    {"subjects": "fields.>"},
    {"max_msgs": "5"},
    {"allow_direct": "yes"},
    {"metadata": {"a": 1}},
]

WRONG_CONSUMERS: list[Config] = [
    {"deliver_policy": "by_start_sequence"},
    {"opt_start_seq": 5},
    {"deliver_policy": "last_per_subject"},
    {"filter_subject": "a", "filter_subjects": ["b"]},
    {"filter_subjects": ["a.>", "a.b"]},
    {"filter_subjects": [""]},
    {"deliver_subject": "to.*"},
    {**PUSH, "max_waiting": 5},
    {"deliver_subject": "to.me", "max_ack_pending": 5},
    {**PUSH, "flow_control": True},
    {**PUSH, "idle_heartbeat": 5},
    {"rate_limit_bps": 5},
    {"idle_heartbeat": SECOND},
    {"flow_control": True, "idle_heartbeat": SECOND},
    {"ack_policy": "flow_control"},
    {"backoff": [1, 2], "max_deliver": 1},
    {"sample_freq": "often"},
    {"max_expires": 5},
    {"priority_groups": ["a"]},
    {"priority_policy": "overflow"},
    {"priority_policy": "overflow", "priority_groups": ["a b"]},
    {**PUSH, "priority_policy": "overflow", "priority_groups": ["a"]},
    {"priority_timeout": SECOND},
    {"num_replicas": 3},
    {"ack_policy": "maybe"},
    {"opt_start_time": "yesterday", "deliver_policy": "by_start_time"},
]


@pytest.mark.parametrize("config", WRONG_STREAMS, ids=str)
def test_what_the_server_refuses_of_a_stream_is_refused_by_name(stream, config):
    body = {"subjects": ["fields.>"], **config}

    assert set(fields.check(body, STREAM_FIELDS)) & config.keys()
    assert not accepted(lambda: stream(config))


@pytest.mark.parametrize("config", WRONG_CONSUMERS, ids=str)
def test_what_the_server_refuses_of_a_consumer_is_refused_by_name(api, stream, config):
    made = stream({})
    body = {"stream_name": NAME, "config": {**config, "name": "c", "durable_name": "c"}}

    assert fields.check(config, CONSUMER_FIELDS, stream=made)
    assert not accepted(lambda: api(f"CONSUMER.CREATE.{NAME}.c", body))


def test_a_consumer_of_a_work_queue_acknowledges_each_message(api, stream):
    made = stream({"retention": "workqueue"})
    body = {"name": "c", "durable_name": "c", "ack_policy": "all"}

    assert "ack_policy" in fields.check(body, CONSUMER_FIELDS, stream=made)
    assert not accepted(
        lambda: api(f"CONSUMER.CREATE.{NAME}.c", {"stream_name": NAME, "config": body})
    )


def test_the_server_refuses_what_neither_it_nor_the_table_knows(stream):
    config = {"from_the_future": True}

    assert fields.unknown(config, STREAM_FIELDS) == ["from_the_future"]
    with pytest.raises(ApiRefused) as refused:
        stream(config)
    assert refused.value.code == 10025
