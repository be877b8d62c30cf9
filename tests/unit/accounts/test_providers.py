from __future__ import annotations

import gzip
import os
from datetime import timedelta
from decimal import Decimal

import pytest

from accounts import services
from accounts.core.errors import BadState
from accounts.models import Account, AccountEvent
from accounts.services import providers
from tests.unit.accounts.brokers import MemoryBroker
from tests.unit.accounts.examples import NOW, POSITION, state
from tests.unit.accounts.pushes import body, encoded

pytestmark = pytest.mark.django_db


@pytest.fixture
def sessions(settings, tmp_path):
    folder = tmp_path / "sessions"
    folder.mkdir()
    settings.ACCOUNT_SESSIONS = folder
    return folder


@pytest.fixture
def account():
    return Account.objects.create(
        server="S", login=7, provider="recording", source="monday.jsonl", lifecycle="DEPLOYED",
        lifecycle_since=NOW, account_s=3600,
    )  # fmt: skip


def recorded(*balances):
    """Return a session that holds another balance every ten seconds."""
    found = []
    for number, balance in enumerate(balances):
        push = encoded(body("S", 7, state(balance=balance)))
        found.append(b'{"t":%d,%s' % (number * 10, push[1:]))
    return b"\n".join(found) + b"\n"


def test_a_recorded_session_plays_from_the_moment_of_deployment_and_begins_again(sessions, account):
    (sessions / "monday.jsonl").write_bytes(recorded("1.00", "2.00", "3.00"))

    found = [
        providers.ask(account, NOW + timedelta(seconds=second)).state.balance
        for second in (0, 9, 10, 25, 29, 30)
    ]

    assert found == [Decimal(text) for text in ("1.00", "1.00", "2.00", "3.00", "3.00", "1.00")]


def test_a_packed_session_is_read_as_it_is(sessions, account):
    account.source = "monday.jsonl.gz"
    (sessions / account.source).write_bytes(gzip.compress(recorded("5.00")))

    assert providers.ask(account, NOW).state.balance == Decimal("5.00")


def test_a_session_that_is_replaced_is_read_anew(sessions, account):
    path = sessions / "monday.jsonl"
    path.write_bytes(recorded("1.00"))
    providers.ask(account, NOW)
    path.unlink()
    path.write_bytes(recorded("4.00", "5.00"))

    assert providers.ask(account, NOW).state.balance == Decimal("4.00")


@pytest.mark.parametrize(
    ("source", "data", "said"),
    [
        ("", None, "source must be the name of a file"),
        ("../secrets.env", None, "source must be the name of a file"),
        ("/etc/passwd", None, "source must be the name of a file"),
        ("tuesday.jsonl", None, "cannot be read"),
        ("monday.jsonl", b"", "at least one push"),
        ("monday.jsonl", b'{"t":0}\n', "line 1"),
        ("monday.jsonl", b"no json\n", "line 1"),
        ("monday.jsonl.gz", b"no gzip", "cannot be read"),
    ],
)
def test_a_session_that_cannot_be_played_says_why(sessions, account, source, data, said):
    account.source = source
    if data is not None:
        (sessions / source).write_bytes(data)

    with pytest.raises(BadState, match=said):
        providers.ask(account, NOW)


def test_an_account_whose_session_is_missing_fails_to_deploy_and_stops_no_other(sessions):
    nats = MemoryBroker()
    for login, provider in ((7, "recording"), (8, "simulator")):
        Account.objects.create(server="S", login=login, provider=provider, source="")
    services.deploy(accounts=Account.objects.all(), actor="boss")

    services.publish_shard(shard=0, now=NOW, brokers=[nats])

    failed, good = Account.objects.order_by("login")
    assert (failed.lifecycle, good.lifecycle) == ("DEPLOY_FAILED", "DEPLOYED")
    assert "source must be the name of a file" in failed.lifecycle_reason
    assert {m["login"] for m in nats.consumer.messages} == {"8"}


def test_what_happened_in_a_recorded_session_is_told_as_of_a_terminal(sessions, account):
    lines = [body("S", 7, state()), body("S", 7, state(positions=(POSITION,)))]
    (sessions / "monday.jsonl").write_bytes(
        b"\n".join(b'{"t":%d,%s' % (5 * n, encoded(push)[1:]) for n, push in enumerate(lines))
    )
    nats = MemoryBroker()
    for second in (0, 1, 6):
        services.publish_shard(shard=0, now=NOW + timedelta(seconds=second), brokers=[nats])

    kinds = list(AccountEvent.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["connection", "position.opened"]
    assert [m["type"] for m in nats.consumer.messages][:2] == ["account", "positions"]


def test_a_busy_simulator_always_has_a_position_and_an_order():
    account = Account.objects.create(server="S", login=7, source="busy")

    for second in range(200):
        heard = providers.ask(account, NOW + timedelta(seconds=second)).state
        assert heard.positions
        assert heard.orders


def test_a_pipe_in_place_of_a_session_keeps_nobody_waiting(sessions, account):
    os.mkfifo(sessions / "monday.jsonl")

    with pytest.raises(BadState, match="is no file"):
        providers.ask(account, NOW)


def test_a_packed_session_that_is_damaged_says_so(sessions, account):
    account.source = "monday.jsonl.gz"
    packed = bytearray(gzip.compress(recorded(*(str(number) for number in range(200)))))
    packed[len(packed) // 2] ^= 0xFF
    (sessions / account.source).write_bytes(packed)

    with pytest.raises(BadState, match=r"cannot be read|line \d+"):
        providers.ask(account, NOW)


def test_of_a_session_that_is_too_large_no_more_is_read_than_is_needed(
    sessions, account, monkeypatch
):
    monkeypatch.setattr(providers, "LARGEST_SESSION", 1000)
    path = sessions / "monday.jsonl"
    with path.open("wb") as file:
        # It takes no room on the disk, but would in memory.
        file.truncate(10**12)

    with pytest.raises(BadState, match="more than 1000 bytes"):
        providers.ask(account, NOW)


def test_a_session_that_cannot_be_played_is_not_read_at_every_tick(sessions, account):
    path = sessions / "monday.jsonl"
    path.write_bytes(b"no json\n")
    read = providers._session.cache_info().misses

    for second in range(5):
        with pytest.raises(BadState, match="line 1"):
            providers.ask(account, NOW + timedelta(seconds=second))

    assert providers._session.cache_info().misses == read + 1
    assert providers._session.cache_info().currsize > 0
