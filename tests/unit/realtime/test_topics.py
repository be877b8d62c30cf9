from __future__ import annotations

import pytest

from realtime.core import topics
from streams.core.templates import scheme

KNOWN = ["market.>", "market.*.*.ticker", "account.>", "system.alert.>", "service.web.log.error"]


@pytest.mark.parametrize("topic", KNOWN)
def test_a_pattern_under_a_known_root_is_a_topic(topic):
    assert topics.check(topic) == topic


@pytest.mark.parametrize(
    "topic", ["", ">", "*", "*.x", "market", "orders.x", "$JS.API.>", "market..x", "market.a b",
              "market.>.x", "market.x*", "_INBOX.>", "MARKET.x", "market.\x00",
              "account." + "x" * 2000]
)  # fmt: skip
def test_anything_else_is_not(topic):
    with pytest.raises(topics.BadTopic):
        topics.check(topic)


@pytest.mark.parametrize(
    ("topic", "nobody", "user", "staff"),
    [
        ("market.>", False, True, True),
        ("account.Demo.1.update", False, True, True),
        ("system.>", False, True, True),
        ("service.>", False, False, True),
        ("$SYS.>", False, False, False),
        (">", False, False, False),
    ],
)
def test_who_may_listen_hangs_on_the_root(topic, nobody, user, staff):
    def may(is_authenticated, is_staff):
        return topics.may_subscribe(
            is_authenticated=is_authenticated, is_staff=is_staff, topic=topic
        )

    assert (may(False, False), may(True, False), may(True, True)) == (nobody, user, staff)
    assert not may(False, True), "a staff flag without a sign-in counts for nothing"


def test_state_is_kept_and_streams_are_not():
    assert topics.keeps_last("account.Demo.1.positions")
    assert topics.keeps_last("market.binance.BTCUSDT.ticker")
    assert not topics.keeps_last("market.binance.BTCUSDT.trade")
    assert not topics.keeps_last("system.alert.high.disk")


def test_market_data_have_the_roots_of_their_templates():
    older = scheme("push")

    assert topics.check("ticker.>", older) == "ticker.>"
    with pytest.raises(topics.BadTopic, match="begins with one of"):
        topics.check("market.>", older)
    assert topics.keeps_last("ticker.binance.BTCUSDT", older)
    assert not topics.keeps_last("trade.binance.BTCUSDT", older)
