from __future__ import annotations

import json

import pytest

from realtime.core.errors import Refused
from realtime.core.session import COMMANDS_PER_S, MAX_TOPICS, Session


def subscribe(*topics):
    return json.dumps({"id": 5, "action": "subscribe", "topics": topics})


def refusal(session, text, now_s=0.0):
    with pytest.raises(Refused) as refused:
        session.command(text, now_s)
    return refused.value


def test_subscriptions_are_remembered_until_they_are_given_back():
    session = Session(lambda topic: True)

    session.command(subscribe("market.>", "account.>"), 0)
    session.command('{"action":"unsubscribe","topics":["market.>","system.>"]}', 0)

    assert session.topics == {"account.>"}


@pytest.mark.parametrize("bad", [">", "orders.x", "market.x*"])
def test_one_bad_topic_refuses_the_whole_command_and_is_named(bad):
    session = Session(lambda topic: True)

    refused = refusal(session, subscribe("market.>", bad))

    assert (refused.code, refused.command_id, refused.topic) == ("bad_topic", 5, bad)
    assert session.topics == set()


def test_a_forbidden_topic_is_named():
    session = Session(lambda topic: not topic.startswith("service."))

    refused = refusal(session, subscribe("market.>", "service.web.metrics"))

    assert (refused.code, refused.topic) == ("forbidden", "service.web.metrics")
    assert session.topics == set()


def test_topics_are_limited_per_connection_and_the_same_one_counts_once():
    session = Session(lambda topic: True)
    session.command(subscribe(*(f"market.x.{n}.trade" for n in range(MAX_TOPICS))), 0)

    session.command(subscribe("market.x.0.trade"), 0)

    assert refusal(session, subscribe("market.one.more.trade")).code == "too_many"
    assert len(session.topics) == MAX_TOPICS


def test_commands_are_limited_per_second():
    session = Session(lambda topic: True)
    ping = '{"action":"ping"}'
    for _ in range(COMMANDS_PER_S):
        session.command(ping, 100.0)

    assert refusal(session, ping, 100.0).code == "too_many"
    assert refusal(session, "not even read", 100.0).code == "too_many"
    session.command(ping, 100.1)


def test_a_binary_message_is_refused():
    assert refusal(Session(lambda topic: True), None).code == "bad_message"
