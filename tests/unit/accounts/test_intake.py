"""The two threads of the web process: nothing that a push or a broker does may end them."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from uuid import UUID

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError

from accounts.core.errors import BadState
from accounts.services import intake
from accounts.services.ingest import Answer, Delivery, Refused
from accounts.services.intake import Express, Intake

WAIT_S = 10


def push(number):
    return Delivery("secret", UUID(int=number), BadState("what it says does not matter here"))


class Database:
    """Takes pushes in, unless it is `stopped`; each call raises the next of `errors`, if any."""

    def __init__(self, *errors, poison=None):
        self.errors = list(errors)
        self.poison = poison
        self.taken = []
        self.open = threading.Event()
        self.open.set()
        self.reached = threading.Event()

    def take(self, deliveries):
        self.reached.set()
        assert self.open.wait(WAIT_S)
        if self.errors and (error := self.errors.pop(0)):
            raise error
        if any(delivery.account_id == self.poison for delivery in deliveries):
            raise IntegrityError("the row cannot be")
        self.taken += [delivery.account_id.int for delivery in deliveries]
        return [
            Answer(str(delivery.account_id), key=delivery.account_id.int, urgent=True)
            for delivery in deliveries
        ]


def held(database, intake, *numbers):
    """Let the database hang at a first push, and these wait behind it."""
    database.open.clear()
    first = intake.submit([push(1)])
    assert database.reached.wait(WAIT_S)
    return first, [intake.submit([push(number)]) for number in numbers]


def test_who_gives_up_stops_nobody_and_is_not_taken_in_later():
    database = Database()
    intake = Intake(lambda ids: None, database.take)
    first, [second, third] = held(database, intake, 2, 3)

    # What asyncio does when a client goes away or has waited long enough.
    assert not first.cancel()
    assert second.cancel()
    database.open.set()

    assert [answer.key for answer in third.result(WAIT_S)] == [3]
    assert [answer.key for answer in first.result(WAIT_S)] == [1]
    with pytest.raises(CancelledError):
        second.result(WAIT_S)
    assert database.taken == [1, 3]


def test_a_push_that_nobody_foresaw_is_refused_alone(caplog):
    urgent: list[int] = []
    database = Database(poison=UUID(int=7))
    intake = Intake(urgent.extend, database.take)
    _, waiting = held(database, intake, *range(2, 30))
    database.open.set()

    answers = [answer for future in waiting for answer in future.result(WAIT_S)]
    refused = [answer for answer in answers if answer.refused]
    assert [(answer.account_id, answer.refused) for answer in refused] == [
        (str(UUID(int=7)), Refused.FAILED)
    ]
    assert sorted(database.taken) == sorted(urgent) == [n for n in range(1, 30) if n != 7]
    assert f"account {UUID(int=7)}: its push was not taken in" in caplog.text


@pytest.mark.parametrize("error", [OperationalError("server closed"), InterfaceError("closed")])
def test_while_the_database_is_away_every_push_is_told_so_and_the_next_is_taken_in(error):
    database = Database(None, error)
    intake = Intake(lambda ids: None, database.take)
    first, [second, third] = held(database, intake, 2, 3)
    database.open.set()

    assert first.result(WAIT_S)
    for future in (second, third):
        with pytest.raises(type(error)):
            future.result(WAIT_S)
    assert intake.submit([push(4)]).result(WAIT_S)
    assert database.taken == [1, 4]


def test_a_bug_behind_the_intake_does_not_end_it():
    def urgent(ids):
        if ids == [1]:
            raise ZeroDivisionError

    intake = Intake(urgent, Database().take)
    intake.submit([push(1)])

    assert intake.submit([push(2)]).result(WAIT_S)


def test_the_express_outlives_what_fails_and_tries_again_what_another_visit_holds():
    asked, done = [], threading.Event()

    def publish(ids):
        asked.append(list(ids))
        if asked == [[1]]:
            raise OperationalError("server closed")
        if [2] not in asked[:-1]:
            return {2}
        done.set()
        return set()

    express = Express(publish)
    express.wake([1])
    while not asked:
        done.wait(0.01)
    express.wake([2])

    assert done.wait(WAIT_S)
    assert asked == [[1], [2], [2]]
    express.close()


def test_a_process_that_ends_finishes_what_it_publishes_and_begins_nothing_more():
    begun, go_on, asked = threading.Event(), threading.Event(), []

    def publish(ids):
        begun.set()
        assert go_on.wait(WAIT_S)
        asked.append(list(ids))
        return set()

    express = Express(publish)
    express.wake([1])
    assert begun.wait(WAIT_S)
    express.wake([2])
    closing = threading.Thread(target=express.close)
    closing.start()
    assert closing.is_alive()
    go_on.set()
    closing.join(WAIT_S)

    assert asked == [[1]]


def test_what_is_urgent_is_published_and_then_told_without_waiting_for_a_tick(monkeypatch):
    done = []
    told = threading.Event()

    def tell(account_ids):
        done.append(("told", list(account_ids)))
        told.set()
        return set()

    def publish(account_ids):
        done.append(("published", list(account_ids)))
        return set()

    def take(deliveries):
        return [Answer("a", key=7, urgent=True), Answer("b", key=8)]

    monkeypatch.setattr(intake, "_told", tell)
    monkeypatch.setattr(intake, "_published", publish)
    monkeypatch.setattr(intake, "_taken_in", take)

    # Another one than this process's own.
    answers = intake.ours.__wrapped__().submit([push(1), push(2)]).result(WAIT_S)

    assert [answer.account_id for answer in answers] == ["a", "b"]
    assert told.wait(WAIT_S)
    assert done == [("published", [7]), ("told", [7])]
