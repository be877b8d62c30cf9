from __future__ import annotations

import itertools
import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.conversation import ACK_S, Conversation
from pipeline.core.errors import AuthRefused, DecodeError, LinkLost
from pipeline.core.messages import Accepted, Demand, Farewell, Rejected, Skipped
from pipeline.core.spec import HandshakeStep, SourceSpec
from pipeline.core.venues.venue import Channel, Limits, Ping


class Toy:
    """A venue that says little."""

    limits = Limits(
        channels_per_link=100, channels_per_message=10, messages_per_s=1000.0,
        connects_per_minute=60, weight_per_minute=60,
    )  # fmt: skip
    ping: Ping | None = None

    def opening(self):
        return []

    def subscribe(self, channels, number):
        return json.dumps(["+", number, [c.name for c in channels]]).encode()

    def unsubscribe(self, channels, number):
        return json.dumps(["-", number, [c.name for c in channels]]).encode()

    def decode(self, frame):
        if bytes(frame).startswith(b"no"):
            return [Rejected(0, "1", "no")]
        if bytes(frame).startswith(b"{"):
            raise DecodeError("json", "")
        return [Skipped.REPLY]


def channels(*names):
    return [Channel(str(name), "trade", str(name).upper()) for name in names]


def talk(*names, venue: Any = None, named=(), **more):
    spec = SourceSpec(source_id="a", protocol="websocket", endpoint="", venue="binance", **more)
    speaker: Any = venue or Toy()
    return Conversation(spec, speaker, channels(*names), named=channels(*named))


def said(conversation, now_s=0.0):
    """Return all it says, however slowly it may."""
    found = []
    while True:
        texts, due_s = conversation.say(now_s)
        found += texts
        if due_s > now_s + 0.9:
            return [json.loads(text) for text in found]
        now_s = due_s


def names(conversation):
    return sorted(conversation.subscriptions.taken)


def answer(conversation, requests, refuse=()):
    """Answer as a venue would that refuses a request as a whole."""
    for _, number, asked in requests:
        bad = set(asked) & set(refuse)
        conversation.hear(Rejected(number, "2", "no") if bad else Accepted(number))


def test_nothing_is_ready_before_all_is_answered():
    conversation = talk(*range(25))
    assert not conversation.ready

    requests = said(conversation)
    assert [len(asked) for _, _, asked in requests] == [10, 10, 5]
    answer(conversation, requests[:2])
    assert not conversation.ready
    answer(conversation, requests[2:])

    assert conversation.ready
    assert len(names(conversation)) == 25


def test_channels_are_told_of_before_they_are_asked_for():
    conversation = talk("a", named=["b"])

    said(conversation)

    assert [c.name for c in conversation.subscriptions.asked] == ["b", "a"]
    assert names(conversation) == ["b"]


def test_what_the_address_names_is_not_asked_for():
    conversation = talk("a", "b", named=["b"])

    ((_, _, asked),) = said(conversation)

    assert asked == ["a"]


@given(st.sets(st.integers(0, 39)), st.sets(st.integers(0, 39)))
def test_only_the_difference_is_said(before, after):
    conversation = talk(*before)
    answer(conversation, said(conversation))

    conversation.subscriptions.want(channels(*after))
    requests = said(conversation)
    answer(conversation, requests)

    for sign, expected in (("+", after - before), ("-", before - after)):
        found = [name for verb, _, asked in requests for name in asked if verb == sign]
        assert sorted(found) == sorted(map(str, expected))
    assert names(conversation) == sorted(map(str, after))


@given(st.sets(st.integers(0, 39), min_size=1), st.data())
def test_one_bad_channel_does_not_keep_the_others_out(wanted, data):
    bad = set(map(str, data.draw(st.sets(st.sampled_from(sorted(wanted))))))
    conversation = talk(*wanted)

    while requests := said(conversation):
        answer(conversation, requests, refuse=bad)

    assert conversation.ready
    assert set(conversation.subscriptions.refused) == bad
    assert names(conversation) == sorted(set(map(str, wanted)) - bad)
    assert {c.name for c in conversation.subscriptions.denied} == bad


def test_a_venue_that_answers_for_each_channel_by_name():
    conversation = talk("a", "b", "c")
    said(conversation)

    conversation.hear(Accepted(0, ("a",)))
    conversation.hear(Rejected(0, "60018", "b does not exist", ("b",)))
    assert not conversation.ready
    conversation.hear(Accepted(0, ("c",)))

    assert conversation.ready
    assert names(conversation) == ["a", "c"]
    assert conversation.subscriptions.refused == {"b": "60018 b does not exist"}


def test_what_a_list_of_the_taken_leaves_out_counts_as_refused():
    conversation = talk("a", "b")
    ((_, number, _),) = said(conversation)

    conversation.hear(Accepted(number, ("a",)))
    said(conversation, ACK_S + 1)

    assert conversation.ready
    assert list(conversation.subscriptions.refused) == ["b"]


def test_no_answer_at_all_is_a_lost_link():
    conversation = talk("a")
    assert conversation.say(0.0)[1] == ACK_S

    with pytest.raises(LinkLost, match="not answered"):
        conversation.say(ACK_S)


def test_a_venue_that_keeps_silent_about_an_unsubscription_is_believed():
    conversation = talk("a")
    answer(conversation, said(conversation))
    conversation.subscriptions.want([])
    said(conversation, 1.0)
    assert names(conversation) == ["a"]

    conversation.say(1.0 + ACK_S)

    assert names(conversation) == []


def test_a_channel_is_renewed_by_giving_it_up_and_taking_it_again():
    conversation = talk("a", "b")
    answer(conversation, said(conversation))

    conversation.subscriptions.renew(channels("a"))
    requests = said(conversation)
    answer(conversation, requests)

    assert [(verb, asked) for verb, _, asked in requests] == [("-", ["a"]), ("+", ["a"])]
    assert names(conversation) == ["a", "b"]


def test_what_is_taken_again_stays_taken_though_a_venue_never_says_that_it_was_given_up():
    conversation = talk("a", "b")
    answer(conversation, said(conversation))

    for now_s in (1.0, 100.0):
        conversation.subscriptions.renew(channels("a"))
        requests = said(conversation, now_s)
        assert [(verb, asked) for verb, _, asked in requests] == [("-", ["a"]), ("+", ["a"])]
        answer(conversation, [request for request in requests if request[0] == "+"])
        said(conversation, now_s + ACK_S + 1)

        assert names(conversation) == ["a", "b"]


def test_a_renewal_that_is_not_yet_said_outlives_a_change_of_what_is_wanted():
    conversation = talk("a", "b")
    answer(conversation, said(conversation))

    conversation.subscriptions.renew(channels("a"))
    conversation.subscriptions.want(channels("a", "b", "c"))
    requests = said(conversation)
    answer(conversation, requests)

    assert [asked for verb, _, asked in requests if verb == "-"] == [["a"]]
    assert {n for verb, _, asked in requests if verb == "+" for n in asked} == {"a", "c"}
    assert names(conversation) == ["a", "b", "c"]


def test_what_is_wanted_again_before_it_was_given_up_begins_anew():
    conversation = talk("a", "b")
    answer(conversation, said(conversation))

    conversation.subscriptions.want(channels("b"))
    conversation.subscriptions.want(channels("a", "b"))
    requests = said(conversation)
    answer(conversation, requests)

    assert [(verb, asked) for verb, _, asked in requests] == [("-", ["a"]), ("+", ["a"])]
    assert names(conversation) == ["a", "b"]


def test_a_refusal_of_something_else_is_kept_as_a_complaint():
    conversation = talk("a")
    said(conversation)

    conversation.hear(Rejected(0, "50011", "x" * 500))

    assert conversation.complaint.startswith("50011 xxx")
    assert len(conversation.complaint) <= 100
    assert not conversation.ready


@given(st.integers(1, 60), st.floats(0.5, 20))
def test_the_venues_pace_is_kept(count, per_s):
    class Slow(Toy):
        limits = msgspec.structs.replace(Toy.limits, channels_per_message=1, messages_per_s=per_s)

    conversation = talk(*range(count), venue=Slow())
    now_s = 0.0
    times: list[float] = []
    while len(times) < count:
        texts, due_s = conversation.say(now_s)
        times += [now_s] * len(texts)
        for number in list(conversation.subscriptions._open):
            conversation.hear(Accepted(number))
        now_s = min(due_s, now_s + 1000)

    for first, second in itertools.pairwise(times):
        assert second - first >= (1 / per_s) * (1 - 1e-4)


def test_an_hourly_limit_is_kept_too():
    class Slow(Toy):
        limits = msgspec.structs.replace(Toy.limits, channels_per_message=1, messages_per_hour=20)

    conversation = talk(*range(100), venue=Slow())
    sent, now_s = 0, 0.0
    while now_s < 3600:
        texts, due_s = conversation.say(now_s)
        sent += len(texts)
        for number in list(conversation.subscriptions._open):
            conversation.hear(Accepted(number))
        now_s = due_s

    assert 10 < sent <= 20


def test_a_demand_is_answered_at_once_and_a_flood_of_them_fills_nothing():
    class Slow(Toy):
        limits = msgspec.structs.replace(Toy.limits, messages_per_s=0.001)

    conversation = talk("a", venue=Slow())
    said(conversation)

    for number in range(10_000):
        conversation.hear(Demand(str(number).encode()))
    texts, _ = conversation.say(0.1)

    assert texts[-1] == b"9999"
    assert len(texts) < 100


def test_pings_are_the_operators_or_the_venues():
    class Pinged(Toy):
        ping = Ping(b"ping", 15.0)

    for conversation, text, every_s in (
        (talk(venue=Pinged()), b"ping", 15.0),
        (talk(venue=Pinged(), ping_text="?", ping_every_s=5.0), b"?", 5.0),
    ):
        assert conversation.say(0.0) == ([], every_s)
        assert conversation.say(every_s) == ([text], 2 * every_s)


def test_without_anything_to_say_it_waits_for_ever():
    conversation = talk()

    assert conversation.say(0.0) == ([], math.inf)
    assert conversation.ready


def test_a_farewell_is_kept():
    conversation = talk()

    conversation.hear(Farewell("maintenance"))

    assert conversation.farewell == "maintenance"


SCRIPT = (
    HandshakeStep(send="hello"),
    HandshakeStep(send="login secret", expect="welcome", within_s=3.0),
    HandshakeStep(expect="ready", within_s=4.0),
)


def test_the_script_comes_before_everything():
    conversation = talk("a", handshake=SCRIPT)

    assert conversation.say(0.0) == ([b"hello", b"login secret"], 3.0)
    assert conversation.say(1.0) == ([], 3.0)
    conversation.hear_frame(b'{"msg": "welcome"}')
    assert conversation.scripted
    assert conversation.say(1.0) == ([], 5.0)
    conversation.hear_frame(b"ready")

    assert not conversation.scripted
    assert [verb for verb, _, _ in said(conversation, 2.0)] == ["+"]


@pytest.mark.parametrize(
    ("frame", "error"), [(b"{something else", LinkLost), (b"no, bad login", AuthRefused)]
)
def test_another_answer_ends_the_link_and_tells_no_secret(frame, error):
    conversation = talk("a", handshake=SCRIPT)
    conversation.say(0.0)

    conversation.hear_frame(frame)

    with pytest.raises(error, match="step 2") as caught:
        conversation.say(0.1)
    assert "secret" not in str(caught.value)


def test_an_answer_that_does_not_come_ends_the_link():
    conversation = talk("a", handshake=SCRIPT)
    conversation.say(0.0)

    with pytest.raises(LinkLost, match="within 3 s of step 2"):
        conversation.say(3.0)


@given(st.lists(st.one_of(
    st.builds(Accepted, st.integers(95, 110), st.lists(st.sampled_from("abcx")).map(tuple)),
    st.builds(Rejected, st.integers(95, 110), st.text(max_size=3), st.text(max_size=3),
              st.lists(st.sampled_from("abcx")).map(tuple)),
)))  # fmt: skip
def test_whatever_a_venue_answers_it_takes_nothing_that_was_not_wanted(replies):
    conversation = talk("a", "b", "c")
    now_s = 0.0
    for reply in replies:
        said(conversation, now_s)
        conversation.hear(reply)
        now_s += 0.01

    subscriptions = conversation.subscriptions
    assert set(subscriptions.taken) | set(subscriptions.refused) <= set("abc")
    assert not set(subscriptions.taken) & set(subscriptions.refused)
