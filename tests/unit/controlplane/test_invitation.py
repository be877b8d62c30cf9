from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core import signing

from controlplane import invitation

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss():
    return User.objects.create_superuser("boss", password="x")


def test_an_invitation_signs_in_once(boss, client):
    token = invitation.invite(boss)

    first = client.get(f"/sign-in/once/{token}/")
    client.logout()
    second = client.get(f"/sign-in/once/{token}/")

    assert (first.status_code, first["Referrer-Policy"]) == (302, "no-referrer")
    assert second.status_code == 403
    assert 'href="/sign-in/"' in second.content.decode()


def test_signing_in_by_password_ends_it_too(boss, client):
    token = invitation.invite(boss)
    client.login(username="boss", password="x")

    assert invitation.redeem(token) is None


def test_an_old_or_forged_one_does_not_hold(boss, monkeypatch):
    token = invitation.invite(boss)
    forged = signing.dumps([boss.pk, ""], salt="another", key="guessed")
    monkeypatch.setattr(invitation, "AGE_S", -1)

    assert invitation.redeem(token) is None
    assert invitation.redeem(forged) is None
    assert invitation.redeem("nonsense") is None


def test_a_user_who_was_switched_off_is_not_signed_in(boss):
    token = invitation.invite(boss)
    User.objects.filter(pk=boss.pk).update(is_active=False)

    assert invitation.redeem(token) is None
