from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.utils import timezone

from accounts import tasks
from accounts.core import bars as core
from accounts.core.bars import Bar
from accounts.core.errors import BadInterval
from accounts.models import Account, AccountEvent, AuditEntry, DeadLetter, EquityBar
from accounts.services import history

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture
def account():
    return Account.objects.create(server="S", login=1)


def bar(minute=0, *amounts, digits=2):
    """Return the bar of a minute after noon; given amounts are open, high, low and close."""
    amounts = amounts or (100, 120, 80, 110)
    return Bar(NOON + minute * MINUTE, digits, *amounts, *(amount + 1 for amount in amounts))


def kept(account=None):
    rows = EquityBar.objects.order_by("account_id", "at")
    rows = rows.filter(account=account) if account else rows
    return [Bar(*row) for row in rows.values_list(*Bar.__struct_fields__)]


# Keeping


def test_bars_are_kept_as_they_are(account):
    other = Account.objects.create(server="S", login=2)

    history.keep([(account.pk, bar(0)), (account.pk, bar(1)), (other.pk, bar(0, 5, 6, 4, 5))])

    assert kept(account) == [bar(0), bar(1)]
    assert kept(other) == [bar(0, 5, 6, 4, 5)]


def test_a_minute_that_comes_twice_is_joined(account):
    history.keep([(account.pk, bar(0, 100, 120, 80, 110))])
    history.keep([(account.pk, bar(0, 111, 115, 60, 90))])

    assert kept() == [bar(0, 100, 120, 60, 90)]


def test_a_minute_that_comes_twice_in_one_call_is_joined(account):
    history.keep([(account.pk, bar(0, 100, 105, 95, 100)), (account.pk, bar(0, 90, 110, 90, 105))])

    assert kept() == [bar(0, 100, 110, 90, 105)]


@pytest.mark.parametrize("digits", [(2, 3), (3, 2)])
def test_a_minute_that_comes_twice_with_other_digits_is_joined(account, digits):
    before, after = digits
    first = bar(0, 10**before, 10**before, 10**before, 10**before, digits=before)
    then = bar(0, 2 * 10**after, 3 * 10**after, 2 * 10**after, 2 * 10**after, digits=after)

    history.keep([(account.pk, first), (account.pk, bar(1))])
    history.keep([(account.pk, then), (account.pk, bar(1))])

    assert kept() == [core.joined(first, then), bar(1)]
    assert (kept()[0].digits, kept()[0].equity_high) == (3, 3000)


def test_bars_of_an_account_that_was_deleted_are_dropped(account):
    history.keep([(account.pk + 1, bar(0)), (account.pk, bar(0))])

    assert kept() == [bar(0)]
    assert kept(account) == [bar(0)]


def test_nothing_to_keep_asks_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        history.keep([])


# Reading


def test_bars_are_read_at_any_length_with_the_minute_under_way(account):
    history.keep([(account.pk, bar(n, 10 + n, 20 + n, n, 15 + n)) for n in range(4)])
    account.bar = core.stored(bar(4, 50, 60, 40, 55))

    assert history.bars(account=account) == [
        *(bar(n, 10 + n, 20 + n, n, 15 + n) for n in range(4)),
        bar(4, 50, 60, 40, 55),
    ]
    assert history.bars(account=account, interval_s=300) == [bar(0, 10, 60, 0, 55)]


def test_a_minute_that_is_kept_and_under_way_is_one(account):
    history.keep([(account.pk, bar(0, 10, 20, 5, 15))])
    account.bar = core.stored(bar(0, 16, 17, 4, 6))

    assert history.bars(account=account) == [bar(0, 10, 20, 4, 6)]


def test_bars_of_other_accounts_are_not_read(account):
    other = Account.objects.create(server="S", login=2)
    history.keep([(other.pk, bar(0))])

    assert history.bars(account=account) == []


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 10, [0, 5]),
        (0, 11, [0, 5, 10]),
        (1, None, [5, 10, 15]),
        (5, None, [5, 10, 15]),
        (None, 5, [0]),
        (None, 4, [0]),
        (16, None, []),
        (None, 0, []),
    ],
)
def test_bars_that_begin_in_the_range_are_read_whole(account, start, end, expected):
    history.keep([(account.pk, bar(n, n, n, n, n)) for n in range(19)])
    account.bar = core.stored(bar(19, 19, 19, 19, 19))

    found = history.bars(
        account=account,
        interval_s=300,
        start=None if start is None else NOON + start * MINUTE,
        end=None if end is None else NOON + end * MINUTE,
    )

    assert found == [bar(n, n, n + 4, n, n + 4) for n in expected]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_the_newest_bars_are_read_and_none_is_cut(account, limit):
    gaps = {2, 3, 6, 11, 14}
    history.keep([(account.pk, bar(n, n, n, n, n)) for n in range(20) if n not in gaps])

    everything = history.bars(account=account, interval_s=300)

    assert [b.at for b in everything] == [NOON + n * MINUTE for n in (0, 5, 10, 15)]
    assert history.bars(account=account, interval_s=300, limit=limit) == everything[-limit:]


def test_no_bars_are_read_where_none_are_wanted(account):
    history.keep([(account.pk, bar(0))])

    assert history.bars(account=account, limit=0) == []


def test_an_unknown_interval_is_refused(account):
    with pytest.raises(BadInterval):
        history.bars(account=account, interval_s=30)


def test_an_unreadable_minute_spoils_no_others(account):
    history.keep([(account.pk, bar(0))])
    account.bar = "{"

    assert history.bars(account=account) == [bar(0)]


# Pruning


@pytest.fixture(autouse=True)
def retention(settings):
    settings.RABBITMQ_URL = "amqp://localhost"
    settings.EQUITY_RETENTION_DAYS = 90
    settings.EVENT_RETENTION_DAYS = 30
    settings.AUDIT_RETENTION_DAYS = 365


def event(account, number, age_days, *, rabbitmq=True, nats=True):
    at = NOON - age_days * DAY
    return AccountEvent.objects.create(
        account=account, number=number, kind="order.placed", payload="{}", created_at=at,
        rabbitmq_at=at if rabbitmq else None, nats_at=at if nats else None,
    )  # fmt: skip


def test_what_is_too_old_goes_and_the_rest_stays(account):
    history.keep([(account.pk, bar(n)) for n in (-91 * 1440, -90 * 1440, -1, 0)])
    for age in (366, 365, 1):
        AuditEntry.objects.create(at=NOON - age * DAY, actor="a", action=f"{age}")

    report = history.prune(now=NOON)

    assert report == history.Pruned(bars=1, events=0, dead_letters=0, audit_entries=1)
    assert kept() == [bar(-90 * 1440), bar(-1), bar(0)]
    assert {entry.action for entry in AuditEntry.objects.all()} == {"365", "1"}


def test_an_event_that_a_broker_is_owed_stays(account):
    event(account, 1, 31)
    event(account, 2, 31, rabbitmq=False)
    event(account, 3, 31, nats=False)
    event(account, 4, 29)

    assert history.prune(now=NOON).events == 1
    assert sorted(e.number for e in AccountEvent.objects.all()) == [2, 3, 4]


def test_a_broker_that_there_is_not_is_owed_nothing(account, settings):
    settings.RABBITMQ_URL = ""
    event(account, 1, 31, rabbitmq=False)
    event(account, 2, 31, rabbitmq=False, nats=False)

    assert history.prune(now=NOON).events == 1
    assert [e.number for e in AccountEvent.objects.all()] == [2]


def test_a_dead_letter_stays_until_it_was_replayed(account):
    for replayed_at in (None, NOON - 29 * DAY, NOON - 31 * DAY):
        DeadLetter.objects.create(
            message_id="m", payload="{}", collected_at=NOON - 60 * DAY, replayed_at=replayed_at
        )

    assert history.prune(now=NOON).dead_letters == 1
    assert DeadLetter.objects.filter(replayed_at=NOON - 31 * DAY).count() == 0
    assert DeadLetter.objects.count() == 2


def test_much_is_deleted_in_small_steps(account, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(history, "BATCH", 10)
    history.keep([(account.pk, bar(n - 100 * 1440)) for n in range(25)])
    history.keep([(account.pk, bar(0))])

    # Three for the bars, one for each of the others: none reads what it deletes.
    with django_assert_max_num_queries(6):
        assert history.prune(now=NOON).bars == 25

    assert kept() == [bar(0)]


def test_a_run_ends_and_the_task_sends_itself_again(account, monkeypatch):
    monkeypatch.setattr(history, "BATCH", 10)
    monkeypatch.setattr(history, "MOST_BATCHES", 2)
    history.keep([(account.pk, bar(n - 100_000 * 1440)) for n in range(25)])
    sent = []
    monkeypatch.setattr(tasks.prune, "apply_async", lambda **options: sent.append(options))

    tasks.prune()
    assert EquityBar.objects.count() == 5
    assert len(sent) == 1

    tasks.prune()
    assert EquityBar.objects.count() == 0
    assert len(sent) == 1


def test_the_task_prunes(account):
    long_ago = bar(-1440 * 1000)
    today = msgspec.structs.replace(bar(0), at=timezone.now().replace(second=0, microsecond=0))
    history.keep([(account.pk, long_ago), (account.pk, today)])

    tasks.prune(unknown="argument")

    assert kept() == [today]
