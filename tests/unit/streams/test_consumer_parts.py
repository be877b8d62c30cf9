"""The parts of a consumer, each without a server."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streams.broker.counterpart import Counterpart
from streams.broker.deliveries import Answers, Delivery
from streams.broker.held import Held
from streams.broker.requests import Requests
from streams.broker.settling import Settling
from streams.broker.stopping import Stop, Stopped
from streams.core.agreement import Agreement, Limits
from streams.core.errors import BadDefinition

PULLED = {"ack_policy": "explicit", "max_ack_pending": 1_000}


class Link:
    """As much of a client as is asked for messages and told of them."""

    is_connected = True
    is_closed = False

    def __init__(self):
        self.stats = {"reconnects": 0}
        self.written: list[bytes] = []
        self._transport = SimpleNamespace(write=self.written.append)

    def new_inbox(self):
        return "_INBOX.test"


class Parts:
    def __init__(self, limits=None, *, remembers=False, **config):
        self.link = cast(Any, Link())
        self.stop = Stop()
        self.held = Held(remembers=remembers)
        self.agreement = agreed(limits, **config)
        self.counterpart = Counterpart(
            self.link, stream="S", name="reader", config=None, domain="",
            agreement=self.agreement, held=self.held, stop=self.stop,
        )  # fmt: skip
        self.requests = Requests(
            self.link, self.counterpart, agreement=self.agreement, held=self.held,
            max_bytes=100, stop=self.stop,
        )  # fmt: skip
        self.settling = Settling(
            Answers(self.link, joined=1), agreement=self.agreement, held=self.held,
            requests=self.requests,
        )  # fmt: skip

    def delivery(self, seq, data=b"12345"):
        reply = f"$JS.ACK.S.reader.1.{seq}.{seq}.1763114400250000001.0"
        msg: Any = SimpleNamespace(subject="s", data=data, headers=None, reply=reply)
        found = Delivery(msg, self.settling)
        self.held.hold(found)
        return found


def agreed(limits=None, **config):
    found = Agreement(limits or Limits())
    found.adopt(PULLED | config, wanted=None, name="it")
    return found


def test_what_the_consumer_allows_counts_where_it_is_less():
    assert (agreed().outstanding, agreed().batch) == (1_000, 500)
    assert agreed(ack_policy="none").outstanding == Limits().max_outstanding
    assert agreed(max_batch=7).batch == 7
    assert agreed(max_ack_pending=1).batch == 1


def test_heartbeats_come_at_least_twice_while_a_request_stands():
    short = agreed(Limits(expires_s=1, heartbeat_s=5))

    assert (short.expires_ns, short.heartbeat_ns) == (1_000_000_000, 500_000_000)
    assert agreed(max_expires=1_000).heartbeat_ns == 500
    assert agreed(Limits(heartbeat_s=0)).silence_s == math.inf


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"deliver_subject": "x"}, "deliver_subject"),
        ({"ack_policy": "flow_control"}, "ack_policy"),
        ({"filter_subject": "a"}, "filter_subjects"),
    ],
)
def test_a_consumer_that_will_not_do_is_refused_by_its_field(config, field):
    with pytest.raises(BadDefinition) as refused:
        Agreement(Limits()).adopt(PULLED | config, wanted={}, name="it")

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("limits", "field"), [({"batch": 0}, "batch"), ({"heartbeat_s": -1}, "heartbeat_s")]
)
def test_limits_that_cannot_be_are_refused_by_their_field(limits, field):
    with pytest.raises(BadDefinition) as refused:
        Limits(**limits).check()

    assert refused.value.field == field


def test_nothing_is_asked_for_before_a_link_is_seen_or_while_told_to_stop():
    parts = Parts()
    parts.requests.ask()
    assert not parts.link.written

    parts.requests.look_at_link()
    parts.requests.ask()
    assert (parts.requests.wanted, parts.requests.made) == (1_000, 2)
    assert parts.link.written[0].startswith(
        b"PUB $JS.API.CONSUMER.MSG.NEXT.S.reader _INBOX.test.1.1 "
    )

    parts.requests.forget()
    parts.stop.ask(1.0, give_back=True)
    parts.requests.ask()
    assert parts.requests.wanted == 0


def test_a_new_link_is_a_doubt_and_ends_what_was_asked_for():
    parts = Parts()
    parts.requests.look_at_link()
    parts.requests.ask()
    parts.link.stats["reconnects"] += 1

    parts.requests.look_at_link()

    assert (parts.requests.wanted, parts.requests.links) == (0, 1)
    assert parts.requests.doubt == "a new link"


async def test_bytes_that_are_held_leave_no_room_until_they_are_settled():
    parts = Parts()
    parts.requests.look_at_link()
    large = parts.delivery(1, bytes(100))
    parts.requests.ask()
    assert parts.requests.wanted == 0

    assert large.ack()
    assert not large.ack()

    assert parts.held.size == 0
    assert parts.requests.wanted == 1_000
    assert parts.settling.acknowledged == 1


async def test_one_acknowledgement_of_all_settles_what_was_before_it_in_the_stream():
    parts = Parts(ack_policy="all")
    first, second, third = (parts.delivery(seq) for seq in (1, 2, 3))

    second.ack()

    assert (first.settled, second.settled, third.settled) == (True, True, False)
    assert (list(parts.held.deliveries), parts.held.size) == ([third], 5)
    assert parts.settling.acknowledged == 2


async def test_a_stream_would_go_on_with_the_first_that_is_not_done():
    parts = Parts(remembers=True)
    parts.held.last_seq = 9
    assert parts.held.next_seq() == 10

    parts.delivery(7)
    assert parts.held.next_seq() == 7

    parts.delivery(4).nak()
    assert parts.held.next_seq() == 4


async def test_a_rest_ends_when_somebody_says_stop():
    stop = Stop()
    stop.ask(1.0, give_back=True)

    with pytest.raises(Stopped):
        await stop.rest(60)
