"""The source and the consumer of `tests.rebuild`, without a server between them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import pytest

from accounts.core import messages, mt5
from accounts.core.messages import message
from tests.rebuild.consumer import Consumer, comparable
from tests.rebuild.source import HAPPENINGS, book, terminals
from tests.unit.accounts.examples import NOW, SENDER


def carried(terminal, consumer, kinds=("account",)):
    """Hand the terminal's push to the consumer, by way of our own cores."""
    push = mt5.push(json.dumps(terminal.push()).encode())
    assert push.state
    for seq, kind in enumerate(kinds):
        sent = message(kind, SENDER, push.state, None, seq=seq, at=NOW)
        consumer.take(sent.payload)
    return consumer.by_login[SENDER.login]


@pytest.mark.parametrize("number", range(12))
def test_what_is_pushed_is_what_is_expected(number):
    terminal = terminals(12, seed=1)[number]
    consumer = Consumer()
    for second in range(300):
        terminal.step(NOW + timedelta(seconds=second, milliseconds=number))

        assert comparable(carried(terminal, consumer)) == terminal.expected()


def test_what_is_sent_in_parts_is_merged_to_the_whole():
    terminal = terminals(1, seed=2)[0]
    consumer = Consumer()
    carried(terminal, consumer)
    for second in range(200):
        terminal.step(NOW + timedelta(seconds=second))

        merged = carried(terminal, consumer, ("orders", "update", "positions"))
        assert comparable(merged) == terminal.expected()


def test_everything_happens():
    happened = Counter(
        terminal.step(NOW + timedelta(seconds=second))
        for terminal in terminals(9, seed=3)
        for second in range(400)
    )

    assert happened.keys() == {*HAPPENINGS, "move"}
    assert min(happened.values()) > 10


def test_the_same_seed_tells_the_same_story():
    def story(seed):
        told = terminals(3, seed=seed)
        for second in range(50):
            for terminal in told:
                terminal.step(NOW + timedelta(seconds=second))
        return [terminal.push() for terminal in told]

    assert story(4) == story(4)
    assert story(4) != story(5)


def test_no_login_is_on_two_servers():
    told = terminals(500, seed=0)

    assert len({terminal.login for terminal in told}) == 500
    assert len({terminal.server for terminal in told}) == 2


def test_a_book_does_not_move_with_the_prices():
    terminal = next(t for t in terminals(20, seed=6) if t.open(0) and t.place(0))
    before = terminal.expected()

    terminal.move()
    terminal.roll_over(0)
    moved = terminal.expected()
    terminal.close_a_part(0)
    terminal.alter(0)
    altered = terminal.expected()

    assert moved["positions"] != before["positions"]
    for entries in ("positions", "orders"):
        assert book(moved[entries]) == book(before[entries])
        assert book(altered[entries]) != book(before[entries])


def test_a_consumer_splits_on_newlines_and_drops_what_is_empty():
    consumer = Consumer()

    def text(**fields):
        return json.dumps({"server": "S", "timestamp": messages.timestamp(NOW)} | fields)

    first = text(type="account", login="1", balance=5, currency="USD", positions=[])
    taken = consumer.take(
        f"\n\n{first} \n {text(type='update', login='1', balance=7)}\n\r\n".encode()
    )

    assert [m["type"] for m in taken] == ["account", "update"]
    assert (consumer.messages, consumer.batches) == (2, 1)
    assert consumer.by_login == {"1": {"balance": 7, "currency": "USD", "positions": []}}
    assert consumer.by_server == {("S", "1"): consumer.by_login["1"]}


def test_a_snapshot_replaces_what_a_list_only_adds_to():
    consumer = Consumer()
    envelope = {"login": "1", "server": "S"}
    for fields in (
        {"type": "positions", "positions": [{"ticket": 1}]},
        {"type": "orders", "orders": [{"ticket": 2}]},
        {"type": "positions", "positions": []},
    ):
        consumer.take(json.dumps(envelope | fields).encode())
    assert consumer.by_login["1"] == {"positions": [], "orders": [{"ticket": 2}]}

    consumer.take(json.dumps(envelope | {"type": "account", "balance": 1}).encode())
    assert consumer.by_login["1"] == {"balance": 1}
