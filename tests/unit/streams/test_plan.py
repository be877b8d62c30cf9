from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import plan
from streams.core.plan import Declared

LEVEL = 5
SECOND = 1_000_000_000
EMPTY = {"messages": 0, "bytes": 0, "first_ts": "0001-01-01T00:00:00Z"}
# What a server answers for `subjects: [a.>]`.
LIVE = {
    "name": "A",
    "subjects": ["a.>"],
    "retention": "limits",
    "storage": "file",
    "discard": "old",
    "max_msgs": -1,
    "max_bytes": -1,
    "max_age": 0,
    "max_msgs_per_subject": -1,
    "num_replicas": 1,
    "duplicate_window": 120 * SECOND,
    "deny_delete": False,
    "allow_rollup_hdrs": False,
    "metadata": {"_nats.ver": "2.15.1", "_nats.level": "5"},
}


def stream(config, live=LIVE, *, applied=LIVE, policy="manage", state=EMPTY, **more):
    info = None if live is None else {"config": live, "state": state, **more}
    return Declared(
        kind="stream", name="A", policy=policy, config=config, applied=applied, live=info
    )


def item(config, *args, level=LEVEL, **more):
    return plan.item(stream(config, *args, **more), level=level)


def with_(**changes):
    return {**LIVE, **changes}


def test_as_declared_is_nothing_to_do():
    found = item({"subjects": ["a.>"], "max_msgs": 0, "metadata": {}})

    assert (found.action, found.standing, found.changes) == ("in_sync", "in_sync", ())


def test_what_is_declared_anew_is_told_apart_from_what_somebody_else_changed():
    mine = item({"max_msgs": 7}, LIVE, applied=LIVE)
    theirs = item({"max_msgs": 7}, with_(max_msgs=9), applied=with_(max_msgs=7))

    assert (mine.action, mine.standing, mine.drift) == ("update", "changed", ("max_msgs",))
    assert (theirs.action, theirs.standing, theirs.drift) == ("update", "drifted", ("max_msgs",))
    change = theirs.changes[0]
    assert (change.desired, change.applied, change.live) == (7, 7, 9)


def test_a_change_where_nothing_is_declared_is_told_and_left_alone():
    found = item({"subjects": ["a.>"]}, with_(max_age=9 * SECOND, new_key=1), applied=LIVE)

    assert (found.action, found.standing) == ("drifted", "drifted")
    assert found.drift == ("max_age", "new_key")
    assert found.body is None


def test_what_is_there_and_was_never_applied_is_adopted():
    assert item({"subjects": ["a.>"]}, applied=None).action == "adopt"


def test_an_update_is_the_live_configuration_with_what_was_declared():
    found = item({"max_msgs": 7}, with_(from_the_future={"x": 1}, compression="s2"))

    assert found.body is not None
    assert found.body["from_the_future"] == {"x": 1}
    assert (found.body["compression"], found.body["max_msgs"]) == ("s2", 7)
    assert "metadata" not in found.body


def test_a_missing_stream_is_created_and_one_that_was_there_says_so():
    first = item({"subjects": ["a.>"]}, None, applied=None)
    again = item({"subjects": ["a.>"]}, None, applied=LIVE)

    assert (first.action, first.reasons) == (again.action, ()) == ("create", ())
    assert "begins empty" in again.reasons[0]


@pytest.mark.parametrize("live", [None, with_(max_msgs=3), with_(storage="memory")])
def test_what_is_only_observed_is_never_touched(live):
    found = item({"max_msgs": 7, "storage": "file"}, live, policy="observe")

    assert (found.action, found.body) == ("observed", None)


@pytest.mark.parametrize(
    ("declared", "live"),
    [
        ({"storage": "memory"}, LIVE),
        ({"retention": "workqueue"}, LIVE),
        ({"retention": "limits"}, with_(retention="workqueue")),
        ({"deny_delete": False}, with_(deny_delete=True)),
        ({"mirror": {"name": "B"}, "subjects": []}, LIVE),
        ({"persist_mode": "async"}, LIVE),
    ],
)
def test_what_the_server_never_changes_is_refused_with_a_way_out(declared, live):
    found = item(declared, live)

    assert found.action == "refused"
    assert found.body is None
    assert any("declare" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("declared", "live"),
    [
        ({"deny_delete": True}, LIVE),
        ({"allow_msg_ttl": True}, LIVE),
        ({"subject_delete_marker_ttl": SECOND}, LIVE),
        ({"sealed": True}, LIVE),
        ({"mirror": None}, {**with_(mirror={"name": "B"}), "subjects": None}),
    ],
)
def test_what_cannot_be_taken_back_needs_the_name(declared, live):
    found = item(declared, live, applied=live)

    assert found.action == "one_way"
    assert found.needs_name


FULL = {"messages": 10, "bytes": 5000, "num_subjects": 2, "first_ts": "2026-01-01T00:00:00Z"}
NOW = "2026-01-01T01:00:00Z"


@pytest.mark.parametrize(
    ("declared", "live", "loses"),
    [
        ({"max_msgs": 9}, LIVE, True),
        ({"max_msgs": 10}, LIVE, False),
        ({"max_msgs": 20}, with_(max_msgs=30), False),
        ({"max_bytes": 4999}, LIVE, True),
        ({"max_bytes": 5000}, LIVE, False),
        # Of ten messages on two subjects one may have nine.
        ({"max_msgs_per_subject": 8}, LIVE, True),
        ({"max_msgs_per_subject": 9}, LIVE, False),
        ({"max_age": 3599 * SECOND}, LIVE, True),
        ({"max_age": 3600 * SECOND}, LIVE, False),
        ({"max_age": 3599 * SECOND}, with_(max_age=3000 * SECOND), False),
        ({"max_msgs": 9, "discard": "new"}, LIVE, False),
        ({"discard": "old"}, with_(discard="new", max_msgs=9), True),
        ({"retention": "interest"}, LIVE, True),
        ({"retention": "limits"}, with_(retention="interest"), False),
        ({"subjects": ["a.b"]}, LIVE, True),
        ({"subjects": ["a.>", "b"]}, LIVE, False),
        ({"subjects": [">"], "no_ack": True}, LIVE, False),
        ({"sources": []}, with_(sources=[{"name": "B"}]), True),
        ({"num_replicas": 3}, LIVE, False),
    ],
)
def test_what_would_lose_messages_is_destructive(declared, live, loses):
    found = item(declared, live, applied=live, state=FULL, ts=NOW)
    protected = item(declared, live, applied=live, state=FULL, ts=NOW, policy="protect")

    assert found.action == "update"
    assert (found.destructive, found.needs_name) == (loses, loses)
    assert protected.action == ("refused" if loses else "update")


def test_a_shorter_age_shortens_the_window_that_was_left_to_the_server():
    found = item({"max_age": 10 * SECOND})

    assert found.action == "update"
    assert found.body is not None
    assert found.body["duplicate_window"] == 10 * SECOND
    assert {c.field for c in found.changes} == {"max_age", "duplicate_window"}


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"max_age": "1h"}, "max_age"),
        ({"subjects": 7}, "subjects"),
        ({"metadata": [1]}, "metadata"),
    ],
)
@pytest.mark.parametrize("live", [None, LIVE])
def test_a_declaration_of_the_wrong_type_is_refused_by_name(config, field, live):
    found = item(config, live)

    assert found.action == "refused"
    assert found.standing == ("changed" if live else "missing")
    assert found.reasons[0].startswith(f"{field}: ")


def test_a_field_newer_than_the_server_is_refused_before_it_is_sent():
    found = item({"allow_batched": True}, level=3)

    assert found.reasons == ("allow_batched: needs a server of API level 4; this one has 3",)


def test_a_change_that_breaks_what_was_left_to_the_server_is_refused():
    found = item({"deny_purge": True}, with_(allow_rollup_hdrs=True))

    assert found.reasons == ("allow_rollup_hdrs: needs what deny_purge forbids",)


def test_what_no_server_answers_for_is_not_taken_for_missing():
    one = msgspec.structs.replace(stream({}, None), reached=False)
    found = plan.item(one, level=LEVEL)

    assert (found.action, found.standing) == ("refused", "unknown")


def test_the_hash_changes_with_what_would_be_done_and_not_with_the_traffic():
    def hash_of(*ones):
        return plan.made(ones, level=LEVEL).hash

    busy = {"messages": 3, "bytes": 9, "first_ts": NOW}
    base = hash_of(stream({"max_msgs": 7}))

    assert base == hash_of(stream({"max_msgs": 7}, state=busy))
    assert base == hash_of(stream({"max_msgs": 7}, applied=None))
    assert base != hash_of(stream({"max_msgs": 8}))
    assert base != hash_of(stream({"max_msgs": 7}, with_(max_msgs=9)))
    assert base != hash_of(stream({"max_msgs": 7}, with_(max_age=SECOND)))
    assert base != hash_of(stream({"max_msgs": 7}, state={**busy, "messages": 9}))
    assert base != hash_of(stream({"max_msgs": 7}, policy="observe"))


SIMPLE = st.fixed_dictionaries(
    {},
    optional={
        "max_msgs": st.integers(-1, 20),
        "max_age": st.sampled_from([0, SECOND, 7 * SECOND]),
        "discard": st.sampled_from(["old", "new"]),
        "retention": st.sampled_from(["limits", "interest", "workqueue"]),
        "deny_purge": st.booleans(),
        "subjects": st.sampled_from([["a.>"], ["a.b"], ["a.>", "b"]]),
        "description": st.sampled_from(["", "x"]),
    },
)


@given(SIMPLE, SIMPLE)
def test_after_what_was_planned_nothing_is_left_to_do(config, before):
    found = item(config, with_(**before), applied=None, state=FULL, ts=NOW)
    if found.body is None:
        assert found.action in ("adopt", "refused")
        return

    after = item(config, {**with_(**before), **found.body}, applied=found.body)

    assert after.action == "in_sync"


CONSUMER = {"durable_name": "c", "name": "c", "ack_policy": "explicit", "filter_subject": "a.b"}


def consumer(config, live=CONSUMER, *, retention="limits", stream=LIVE, applied=CONSUMER):
    return plan.item(
        Declared(
            kind="consumer",
            name="A/c",
            policy="manage",
            config=config,
            applied=applied,
            live=None if live is None else {"config": live},
            stream=None if stream is None else {"config": {**stream, "retention": retention}},
        ),
        level=LEVEL,
    )


def test_a_consumer_is_created_within_its_stream():
    made = consumer({"filter_subject": "a.b"}, None, applied=None)
    alone = consumer({}, None, stream=None, applied=None)
    wrong = consumer({"ack_policy": "none"}, None, retention="workqueue")

    assert (made.action, made.body) == ("create", CONSUMER)
    assert alone.reasons == ("its stream is not in NATS",)
    assert wrong.action == "refused"


def test_the_way_of_a_consumer_stays():
    found = consumer({"deliver_policy": "new", "deliver_subject": "to.me"})

    assert found.action == "refused"
    assert {c.field for c in found.changes} == {"deliver_policy", "deliver_subject"}


def test_a_pause_is_no_drift():
    paused = {**CONSUMER, "pause_until": "2099-01-01T00:00:00Z"}

    assert consumer({}, paused).action == "in_sync"


@pytest.mark.parametrize(("retention", "loses"), [("limits", False), ("interest", True)])
def test_a_narrower_filter_loses_what_only_interest_keeps(retention, loses):
    found = consumer({"filter_subjects": ["a.c", "a.d"]}, retention=retention)

    assert (found.action, found.destructive) == ("update", loses)
    assert {c.field for c in found.changes} == {"filter_subject", "filter_subjects"}
    assert found.body is not None
    assert "filter_subject" not in found.body
