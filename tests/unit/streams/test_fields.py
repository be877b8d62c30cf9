from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import fields, values
from streams.core.fields import CONSUMER_FIELDS, STREAM_FIELDS
from tests import fields_page

SECOND = 1_000_000_000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
TABLES = {"stream": STREAM_FIELDS, "consumer": CONSUMER_FIELDS}


@given(st.sampled_from(sorted(TABLES)), st.data())
def test_any_configuration_is_right_or_has_a_reason_and_means_the_same_each_time(table, data):
    known = TABLES[table]
    config = data.draw(st.dictionaries(st.sampled_from(sorted(known)), JSON, max_size=6))

    reasons = fields.check(config, known, level=0, stream={})

    assert reasons.keys() <= known.keys()
    assert all(reasons.values())
    for name, value in config.items():
        one = values.amounts_to(known[name], value)
        assert one == values.amounts_to(known[name], value) or value != value  # noqa: PLR0124  NaN


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"max_age": 1.5}, "max_age"),
        ({"max_age": True}, "max_age"),
        ({"max_age": 5}, "max_age"),
        ({"max_msgs": -2}, "max_msgs"),
        ({"max_msgs": 2**63}, "max_msgs"),
        ({"subjects": ["a.>", "a.b"]}, "subjects"),
        ({"subjects": "a"}, "subjects"),
        ({"retention": "forever"}, "retention"),
        ({"retention": []}, "retention"),
        ({"max_age": SECOND, "duplicate_window": 2 * SECOND}, "duplicate_window"),
        ({"mirror": {"name": "A"}, "subjects": ["a"]}, "subjects"),
        ({"mirror": {"filter_subject": "a"}}, "mirror"),
        ({"sources": [{"name": "A"}, {}]}, "sources"),
        ({"name": "a.b"}, "name"),
        ({"placement": {"preferred": "n1"}}, "placement"),
        ({"sealed": True, "max_age": SECOND}, "max_age"),
        ({"subject_delete_marker_ttl": SECOND, "allow_msg_ttl": False}, "allow_msg_ttl"),
    ],
)
def test_what_cannot_be_is_refused_by_name(config, field):
    assert list(fields.check(config, STREAM_FIELDS)) == [field]


def test_what_the_server_reads_as_not_given_is_let_through():
    config = {"max_age": 0, "max_msgs": 0, "max_bytes": -1, "duplicate_window": 0, "mirror": None}

    assert fields.check(config, STREAM_FIELDS) == {}


def test_unknown_keys_are_let_through_and_named():
    config = {"subjects": ["a"], "from_the_future": {"x": [1]}}

    assert fields.check(config, STREAM_FIELDS) == {}
    assert fields.unknown(config, STREAM_FIELDS) == ["from_the_future"]


@pytest.mark.parametrize(
    ("table", "config", "level"),
    [
        ("stream", {"allow_batched": True}, 4),
        ("stream", {"allow_msg_ttl": True}, 1),
        ("stream", {"mirror": {"name": "A", "consumer": {"name": "c", "deliver_subject": "d"}}}, 4),
        ("consumer", {"priority_policy": "prioritized", "priority_groups": ["a"]}, 2),
        ("consumer", {"pause_until": "2099-01-01T00:00:00Z"}, 1),
    ],
)
def test_a_field_newer_than_the_server_is_refused_by_name(table, config, level):
    found = fields.check(config, TABLES[table], level=level - 1)

    assert set(found) & set(config)
    assert all(f"API level {level}" in reason for reason in found.values())
    assert fields.check(config, TABLES[table], level=level) == {}


def test_a_server_knows_the_fields_of_its_level():
    new = STREAM_FIELDS.keys() - fields.known_at(3, STREAM_FIELDS).keys()

    assert new == {"allow_batched"}


def test_off_is_what_an_older_server_does_anyway():
    assert fields.check({"allow_batched": False}, STREAM_FIELDS, level=0) == {}


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("subjects", ["a", "b"], ["b", "a"]),
        ("max_msgs", 0, -1),
        ("max_msgs", None, -1),
        ("description", "", None),
        ("consumer_limits", {}, None),
        ("consumer_limits", {"max_ack_pending": 0}, {}),
        ("placement", {"tags": ["b", "a"]}, {"tags": ["a", "b"], "cluster": ""}),
        ("metadata", {"a": "1", "_nats.ver": "2"}, {"a": "1"}),
        ("republish", {"dest": "x", "src": ""}, {"dest": "x", "src": ">"}),
        (
            "mirror",
            {"name": "A", "opt_start_time": "2026-01-01T01:00:00+01:00"},
            {"name": "A", "opt_start_time": "2026-01-01T00:00:00.000000000Z"},
        ),
        ("sources", [{"name": "A"}, {"name": "B"}], [{"name": "B"}, {"name": "A"}]),
    ],
)
def test_two_ways_to_say_the_same_amount_to_the_same(field, one, other):
    known = STREAM_FIELDS[field]

    assert values.amounts_to(known, one) == values.amounts_to(known, other)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 999))
def test_times_keep_their_nanoseconds(moment, more_ns):
    text = f"{moment:%m-%dT%H:%M:%S}.{moment.microsecond:06}{more_ns:03}Z"
    text = f"{moment.year:04}-{text}"
    later = f"{text[:-1]}+00:00"

    assert values.nanoseconds(text) == values.nanoseconds(later)
    assert values.nanoseconds(text) % SECOND == moment.microsecond * 1000 + more_ns


@pytest.mark.parametrize("config", [{"num_replicas": 3}, {"max_ack_pending": 11}])
def test_a_consumer_keeps_within_its_stream(config):
    stream = {"num_replicas": 1, "consumer_limits": {"max_ack_pending": 10}}

    assert list(fields.check(config, CONSUMER_FIELDS, stream=stream)) == list(config)


def test_the_page_of_the_fields_is_what_the_tables_say():
    assert fields_page.PAGE.read_text(encoding="utf-8") == fields_page.page()
