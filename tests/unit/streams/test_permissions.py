from __future__ import annotations

import pytest

from streams.core import permissions
from streams.core.subjects import covers, matches

DESTRUCTIVE = [
    "$JS.API.STREAM.PURGE.MARKET_DATA",
    "$JS.API.STREAM.DELETE.MARKET_DATA",
    "$JS.API.STREAM.UPDATE.MARKET_DATA",
    "$JS.API.STREAM.CREATE.ANY",
    "$JS.API.STREAM.MSG.DELETE.MARKET_DATA",
    "$JS.API.STREAM.SNAPSHOT.MARKET_DATA",
    "$JS.API.STREAM.RESTORE.MARKET_DATA",
    "$JS.API.STREAM.LEADER.STEPDOWN.MARKET_DATA",
    "$JS.API.CONSUMER.DELETE.MARKET_DATA.theirs",
    "$JS.API.META.LEADER.STEPDOWN",
    "$SYS.REQ.SERVER.PING",
]


def may_publish(may, subject):
    return any(matches(pattern, subject) for pattern in may.publish_allow)


PRODUCER = permissions.producer(["market.>"])
CONSUMER = permissions.consumer(["market.>"], ["MARKET_DATA"])


@pytest.mark.parametrize("may", [PRODUCER, CONSUMER], ids=["producer", "consumer"])
@pytest.mark.parametrize("subject", DESTRUCTIVE)
def test_only_an_administrator_may_destroy(may, subject):
    assert not may_publish(may, subject)
    assert may_publish(permissions.admin(), subject)


def test_a_producer_publishes_its_subjects_and_reads_nothing():
    assert may_publish(PRODUCER, "market.okx.BTC-USDT.trade")
    assert not may_publish(PRODUCER, "system.alert.critical.fake")
    assert not may_publish(PRODUCER, "$JS.API.CONSUMER.CREATE.MARKET_DATA")
    assert PRODUCER.subscribe_allow == ("_INBOX.>",)


@pytest.mark.parametrize(
    "subject",
    [
        "$JS.API.INFO",
        "$JS.API.STREAM.NAMES",
        "$JS.API.STREAM.INFO.MARKET_DATA",
        "$JS.API.CONSUMER.INFO.MARKET_DATA.mine",
        "$JS.API.CONSUMER.CREATE.MARKET_DATA",
        "$JS.API.CONSUMER.CREATE.MARKET_DATA.mine.market.okx.>",
        "$JS.API.CONSUMER.DURABLE.CREATE.MARKET_DATA.mine",
        "$JS.API.CONSUMER.MSG.NEXT.MARKET_DATA.mine",
        "$JS.ACK.MARKET_DATA.mine.1.2.3.4.5",
        "$JS.ACK._.hash.MARKET_DATA.mine.1.2.3.4.5",
        "$JS.FC.MARKET_DATA.mine.x",
    ],
)
def test_a_consumer_may_do_what_its_clients_do_for_its_streams_alone(subject):
    assert may_publish(CONSUMER, subject)
    other = subject.replace("MARKET_DATA", "SYSTEM_EVENTS")
    assert may_publish(CONSUMER, other) == (other == subject)


def test_a_consumer_publishes_no_data():
    assert not any(covers(pattern, "market.>") for pattern in CONSUMER.publish_allow)
    assert not may_publish(CONSUMER, "market.okx.BTC-USDT.trade")
    assert CONSUMER.subscribe_allow == ("market.>", "_INBOX.>")


@pytest.mark.parametrize("name", ["", "a.b", "*", ">", "with space", "ä", "a\n"])
def test_a_name_that_is_no_plain_token_gets_no_inbox_of_its_own(name):
    assert permissions.producer(["a"], name).subscribe_allow == ("_INBOX.>",)
    assert permissions.consumer(["a"], ["A"], name).subscribe_allow == ("a", "_INBOX.>")


def test_a_user_has_an_inbox_that_no_other_may_read():
    one, other = permissions.producer(["a"], "one"), permissions.producer(["a"], "one_more")

    assert "_INBOX_one.>" in one.subscribe_allow
    assert not any(matches(pattern, "_INBOX_one.x") for pattern in other.subscribe_allow)
