from __future__ import annotations

from streams.core import definition

GOOD = {"subjects": ["market.>"], "max_age": 3_600_000_000_000, "max_msgs": 1_000_000}
FAST = definition.FAST_INGEST_LEVEL


def test_what_is_declared_is_asked_for_and_little_is_our_default():
    body = definition.new_stream("MARKET_DATA", GOOD, FAST)

    assert body == {
        "name": "MARKET_DATA",
        **GOOD,
        "duplicate_window": 120_000_000_000,
        "allow_direct": True,
        "allow_batched": True,
    }


def test_the_duplicate_window_is_never_longer_than_messages_live():
    new = definition.new_stream("A", {**GOOD, "max_age": 10_000_000_000}, FAST)
    changed = definition.changed_stream(
        "A", {"max_age": 10_000_000_000}, {"duplicate_window": 120_000_000_000}
    )

    assert new["duplicate_window"] == changed["duplicate_window"] == 10_000_000_000


def test_an_older_server_and_a_mirror_are_not_asked_for_fast_ingest():
    assert "allow_batched" not in definition.new_stream("A", GOOD, FAST - 1)
    assert "allow_batched" not in definition.new_stream("A", {"mirror": {"name": "B"}}, FAST)


def test_an_update_keeps_what_nobody_declared_and_what_nobody_knows():
    live = {
        "name": "A",
        "compression": "s2",
        "from_the_future": [1],
        "metadata": {"team": "x", "_nats.ver": "9.0.0"},
        "max_msgs": 5,
    }

    body = definition.changed_stream("A", {"max_msgs": 7}, live)

    assert body == {
        "name": "A",
        "compression": "s2",
        "from_the_future": [1],
        "metadata": {"team": "x"},
        "max_msgs": 7,
    }


def test_what_is_declared_as_null_is_taken_away():
    body = definition.changed_stream("A", {"mirror": None}, {"mirror": {"name": "B"}})

    assert "mirror" not in body


def test_what_the_server_switches_by_itself_is_said_before():
    body = definition.changed_stream("A", {"subject_delete_marker_ttl": 1_000_000_000}, {})

    assert body["allow_msg_ttl"] is body["allow_rollup_hdrs"] is True


def test_one_filter_replaces_the_other_kind():
    live = {"filter_subject": "a.b", "ack_wait": 30}

    body = definition.changed_consumer("C", {"filter_subjects": ["a.c"], "backoff": [1]}, live)

    assert body == {
        "durable_name": "C",
        "name": "C",
        "filter_subjects": ["a.c"],
        "backoff": [1],
    }


def test_a_durable_acknowledges_unless_told_not_to():
    assert definition.new_consumer("C", {})["ack_policy"] == "explicit"
    assert definition.new_consumer("C", {"ack_policy": "none"})["ack_policy"] == "none"
