from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from realtime.core import protocol
from realtime.core.latest import Latest
from realtime.core.protocol import Frame

A = "account.Demo.1"


def said(latest):
    return [(f.topic, json.loads(f.text)["data"]) for f in latest]


def put(latest, topic, data):
    return latest.put(protocol.message(topic, json.dumps(data).encode()))


def test_the_newest_of_every_topic_remains_in_order_of_arrival():
    latest = Latest()

    replaced = [put(latest, t, n) for n, t in enumerate(["system.a", "system.b", "system.a"])]

    assert replaced == [False, False, True]
    assert said(latest) == [("system.b", 1), ("system.a", 2)]


def test_changed_fields_add_up():
    latest = Latest()

    put(latest, f"{A}.update", {"equity": 1, "profit": 2})
    put(latest, f"{A}.update", {"equity": 3, "margin": 4})

    assert said(latest) == [(f"{A}.update", {"equity": 3, "profit": 2, "margin": 4})]


def test_an_update_that_is_no_object_replaces():
    latest = Latest()

    put(latest, f"{A}.update", {"equity": 1})
    put(latest, f"{A}.update", "nonsense")

    assert said(latest) == [(f"{A}.update", "nonsense")]


def test_frames_without_a_topic_are_all_kept():
    latest = Latest()

    for n in range(3):
        latest.put(Frame(f'{{"n":{n}}}'))

    assert [latest.pop().text for _ in range(3)] == ['{"n":0}', '{"n":1}', '{"n":2}']
    assert (len(latest), latest.characters) == (0, 0)


def control(topic, kind):
    return Frame(f'{{"data":"{kind}"}}', topic, is_control=True)


def test_a_control_message_stands_beside_the_newest_data_until_newer_ones_come():
    latest, topic = Latest(), "market.okx.X.ticker"

    put(latest, topic, 1)
    first = latest.put(control(topic, "gap"))
    second = latest.put(control(topic, "stale"))
    beside = [json.loads(f.text)["data"] for f in latest]
    third = put(latest, topic, 2)

    assert (first, second, third) == (False, True, True)
    assert beside == [1, "stale"]
    assert said(latest) == [(topic, 2)]


def test_a_topic_is_forgotten_with_what_was_said_about_it():
    latest = Latest()
    put(latest, "market.okx.X.ticker", 1)
    latest.put(control("market.okx.X.ticker", "stale"))

    latest.discard("market.okx.X.ticker")

    assert (len(latest), latest.characters) == (0, 0)


def applied(messages):
    """What a client knows of one account after these messages."""
    state: dict[str, int] = {}
    for topic, data in messages:
        state = data if topic.endswith(".account") else state | data
    return state


fields = st.dictionaries(st.sampled_from(["balance", "equity", "margin"]), st.integers(0, 9))
whole = st.fixed_dictionaries(dict.fromkeys(["balance", "equity", "margin"], st.integers(0, 9)))


@given(
    st.lists(st.tuples(st.just(f"{A}.update"), fields) | st.tuples(st.just(f"{A}.account"), whole))
)
def test_a_conflated_account_reads_the_same_as_the_complete_one(messages):
    latest = Latest()

    for topic, data in messages:
        put(latest, topic, data)

    assert applied(said(latest)) == applied(messages)
    assert latest.characters == sum(len(f.text) for f in latest)
