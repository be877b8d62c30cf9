from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import services
from accounts.core.errors import BadTransition
from accounts.core.lifecycle import DELETABLE, PUBLISHED, TABLE, Lifecycle, Step, after
from accounts.models import Account, AccountEvent, AuditEntry
from accounts.services import lifecycle, roster
from tests.unit.accounts.examples import NOW

OPERATOR = (Step.DEPLOY, Step.UNDEPLOY, Step.REDEPLOY)


def every():
    return Account.objects.all()


def moved(step, actor="ann"):
    return lifecycle.request(accounts=every(), step=step, actor=actor, now=NOW)


def told(action=None):
    rows = AuditEntry.objects.order_by("id")
    if action:
        rows = rows.filter(action=action)
    return list(rows.values_list("actor", "action", "account_name", "before", "after", "detail"))


def test_the_way_of_an_account():
    steps = [
        Step.DEPLOY,
        Step.DONE,
        Step.REDEPLOY,
        Step.DONE,
        Step.UNDEPLOY,
        Step.DONE,
        Step.DEPLOY,
    ]
    states = ["DRAFT"]
    for step in steps:
        states.append(after(states[-1], step))

    assert states == [
        "DRAFT", "DEPLOYING", "DEPLOYED", "DEPLOYING", "DEPLOYED", "UNDEPLOYING", "UNDEPLOYED",
        "DEPLOYING",
    ]  # fmt: skip


def test_a_failure_leaves_the_operator_a_way():
    assert after("DEPLOYING", Step.FAILED) == "DEPLOY_FAILED"
    assert after("UNDEPLOYING", Step.FAILED) == "UNDEPLOY_FAILED"
    for state in (Lifecycle.DEPLOY_FAILED, Lifecycle.UNDEPLOY_FAILED):
        assert set(TABLE[state]) & set(OPERATOR)


@given(st.sampled_from(Lifecycle), st.sampled_from(Step))
def test_the_table_is_the_only_way(state, step):
    if step in TABLE[state]:
        assert after(state, step) == TABLE[state][step]
    else:
        with pytest.raises(BadTransition, match=state):
            after(state, step)


@given(st.lists(st.sampled_from(Step)))
def test_every_state_can_come_back_to_being_published(steps):
    state = Lifecycle.DRAFT
    for step in steps:
        state = TABLE[state].get(step, state)

    assert state in PUBLISHED or after(state, Step.DEPLOY) in PUBLISHED
    assert not set(DELETABLE) & set(PUBLISHED)


def test_a_worker_never_deploys_what_nobody_asked_for():
    workers = {Step.DONE, Step.FAILED}
    waiting = {Lifecycle.DEPLOYING, Lifecycle.UNDEPLOYING}

    assert {state for state in Lifecycle if workers & set(TABLE[state])} == waiting


@pytest.mark.django_db
def test_deploying_begins_anew_and_says_who_asked():
    Account.objects.create(
        server="S", login=1, seq=7, published="{}", last_error="old", due_at=NOW, refusals=3,
        snapshot_at=NOW, nats_snapshot_required=False, rabbitmq_snapshot_required=False,
    )  # fmt: skip

    assert moved(Step.DEPLOY) == lifecycle.Moves(changed=1)

    row = every().get()
    assert (row.lifecycle, row.lifecycle_since, row.lifecycle_reason) == ("DEPLOYING", NOW, "")
    assert (row.epoch, row.seq, row.published, row.due_at, row.last_error) == (1, 0, "", None, "")
    assert (row.snapshot_at, row.refusals) == (None, 0)
    assert row.nats_snapshot_required
    assert row.rabbitmq_snapshot_required
    assert told() == [("ann", "deploy", "S/1", "DRAFT", "DEPLOYING", "")]


@pytest.mark.django_db
def test_what_cannot_move_says_why_and_stops_no_other():
    Account.objects.create(server="S", login=1, lifecycle="DEPLOYED", epoch=4)
    Account.objects.create(server="S", login=2)

    moves = moved(Step.DEPLOY)

    assert moves.changed == 1
    assert [(r.account, r.reason) for r in moves.refused] == [
        ("S/1", "deploy is not possible while it is DEPLOYED")
    ]
    assert Account.objects.get(login=1).epoch == 4
    assert [entry[2] for entry in told()] == ["S/2"]


@pytest.mark.django_db
def test_more_accounts_than_are_locked_together_all_move(monkeypatch):
    monkeypatch.setattr(lifecycle, "CHUNK", 3)
    Account.objects.bulk_create(Account(server="S", login=n) for n in range(1, 9))

    assert services.deploy(accounts=every(), actor="ann") == 8
    assert services.redeploy(accounts=every(), actor="ann") == 8
    assert set(every().values_list("lifecycle", "epoch")) == {("DEPLOYING", 2)}
    assert len(told()) == 16


@pytest.mark.django_db
def test_a_worker_answers_with_a_reason():
    account = Account.objects.create(server="S", login=1, lifecycle="DEPLOYING", epoch=2)

    assert lifecycle.advance(account_id=account.pk, step=Step.FAILED, reason="no file", now=NOW)

    row = every().get()
    assert (row.lifecycle, row.lifecycle_reason) == ("DEPLOY_FAILED", "no file")
    assert (row.lifecycle_since, row.epoch) == (NOW, 2)
    assert told() == [("system", "failed", "S/1", "DEPLOYING", "DEPLOY_FAILED", "no file")]
    assert not lifecycle.advance(account_id=account.pk, step=Step.DONE, now=NOW)


@pytest.mark.django_db
def test_an_answer_that_comes_too_late_changes_nothing():
    account = Account.objects.create(server="S", login=1, lifecycle="DEPLOYING", epoch=2)
    done = partial(lifecycle.advance, account_id=account.pk, step=Step.DONE, now=NOW)

    moved(Step.UNDEPLOY)
    assert not done(seen=Lifecycle.DEPLOYING)
    moved(Step.DEPLOY)
    assert not done(epoch=2)
    assert done(epoch=3, seen=Lifecycle.DEPLOYING)
    assert every().get().lifecycle == "DEPLOYED"


@pytest.mark.django_db
def test_an_account_that_is_gone_is_no_error():
    assert not lifecycle.advance(account_id=404, step=Step.DONE, now=NOW)


def owe(account, **sent):
    AccountEvent.objects.create(account=account, number=1, kind="k", payload="{}", **sent)


@pytest.mark.django_db
@pytest.mark.parametrize("rabbitmq", ["", "amqp://h:1"])
def test_undeploying_ends_once_no_event_is_owed(settings, rabbitmq):
    settings.RABBITMQ_URL = rabbitmq
    first, second, third = (
        Account.objects.create(server="S", login=n, lifecycle="UNDEPLOYING") for n in (1, 2, 3)
    )
    owe(first, nats_at=NOW)
    owe(second, rabbitmq_at=NOW)
    owe(third, nats_at=NOW, rabbitmq_at=NOW)

    services.finish_undeploying(now=NOW)

    states = dict(every().values_list("login", "lifecycle"))
    assert states[3] == "UNDEPLOYED"
    assert states[2] == "UNDEPLOYING"
    # A broker that is not configured is owed nothing.
    assert states[1] == ("UNDEPLOYING" if rabbitmq else "UNDEPLOYED")


@pytest.mark.django_db
def test_undeploying_waits_for_whoever_writes():
    Account.objects.create(
        server="S", login=1, lifecycle="UNDEPLOYING",
        claim="x", claimed_until=NOW + timedelta(seconds=1),
    )  # fmt: skip

    assert services.finish_undeploying(now=NOW) == 0
    assert services.finish_undeploying(now=NOW + timedelta(seconds=1)) == 1


@pytest.mark.django_db
def test_undeploying_that_takes_too_long_fails_and_can_be_asked_for_again():
    account = Account.objects.create(
        server="S", login=1, lifecycle="UNDEPLOYING", lifecycle_since=NOW
    )
    owe(account)

    services.finish_undeploying(now=NOW + timedelta(minutes=9))
    assert every().get().lifecycle == "UNDEPLOYING"
    services.finish_undeploying(now=NOW + timedelta(minutes=10))

    row = every().get()
    assert (row.lifecycle, row.lifecycle_reason) == (
        "UNDEPLOY_FAILED", "1 event is still owed to a broker",
    )  # fmt: skip
    assert moved(Step.UNDEPLOY).changed == 1


@pytest.mark.django_db
@pytest.mark.parametrize("state", Lifecycle)
def test_an_account_is_deleted_unless_it_is_deployed(state):
    Account.objects.create(server="S", login=1, lifecycle=state)

    moves = roster.delete(accounts=every(), actor="ann")

    if state in DELETABLE:
        assert moves == lifecycle.Moves(changed=1)
        assert told() == [("ann", "delete", "S/1", state, "", "")]
        assert AuditEntry.objects.get().account is None
    else:
        assert moves.changed == 0
        assert "undeploy it first" in moves.refused[0].reason
        assert told() == []
    assert every().exists() is (state not in DELETABLE)
