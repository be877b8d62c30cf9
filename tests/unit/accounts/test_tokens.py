from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.serializers import serialize
from django.db.models import Model

from accounts.models import Account, AccountGroup, AccountToken, AuditEntry
from accounts.services import tokens
from tests.unit.accounts.examples import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Model:
    return Account.objects.create(server="S", login=1)


def test_a_secret_is_told_once_and_kept_nowhere(account):
    token, secret = tokens.create(account=account, name="EA", actor="ann")
    _other, another = tokens.create(account=account, name="EA", actor="ann")

    assert secret.startswith("tpa_")
    assert len(secret) >= 47
    assert secret != another
    kept = serialize("json", [*AccountToken.objects.all(), *AuditEntry.objects.all()])
    assert secret not in kept
    assert secret[13:] not in kept
    assert token.prefix in kept
    assert (token.created_by, str(token)) == ("ann", f"{token.prefix}…")


def test_the_secret_opens_and_nothing_else_does(account):
    token, secret = tokens.create(account=account, name="EA", actor="ann")

    assert tokens.authenticate(secret, now=NOW) == token
    for wrong in ("", "tpa_", secret[:-1], f"{secret}x", secret[4:], token.digest, "x" * 10_000):
        assert tokens.authenticate(wrong, now=NOW) is None
    for strange in ("tpa_\ud800", "tpa_\x00", "tpa_é"):
        assert tokens.authenticate(strange, now=NOW) is None


def test_a_revoked_token_is_refused_for_good(account):
    token, secret = tokens.create(account=account, name="EA", actor="ann")

    assert tokens.revoke(token=token, actor="bob", now=NOW)
    assert not tokens.revoke(token=token, actor="bob", now=NOW + timedelta(days=1))

    assert tokens.authenticate(secret, now=NOW) is None
    assert AccountToken.objects.get().revoked_at == NOW
    told = AuditEntry.objects.order_by("id").values_list("actor", "action", "account_name")
    assert list(told) == [("ann", "token", "S/1"), ("bob", "revoke token", "S/1")]


def test_the_last_use_is_written_once_a_minute(account, django_assert_num_queries):
    _token, secret = tokens.create(account=account, name="EA", actor="ann")

    def used(seconds):
        tokens.authenticate(secret, now=NOW + timedelta(seconds=seconds))
        last = AccountToken.objects.get().last_used_at
        return None if last is None else (last - NOW).total_seconds()

    assert [used(seconds) for seconds in (0, 1, 59, 60, 61)] == [0, 0, 0, 60, 60]
    with django_assert_num_queries(1):
        tokens.authenticate(secret, now=NOW + timedelta(seconds=70))


def test_a_token_covers_its_account_or_its_group(account):
    group = AccountGroup.objects.create(name="G")
    member = Account.objects.create(server="S", login=2, group=group)
    own, _ = tokens.create(account=account, name="", actor="ann")
    agent, _ = tokens.create(group=group, name="", actor="ann")

    covered = [[tokens.covers(t, a) for a in (account, member)] for t in (own, agent)]
    assert covered == [[True, False], [False, True]]
