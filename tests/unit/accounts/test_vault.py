from __future__ import annotations

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from accounts.core.errors import NoKey, Unopened
from accounts.models import Account
from accounts.services import vault

OLD, NEW, FOREIGN = (Fernet.generate_key().decode() for _ in range(3))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_is_opened_and_never_looks_the_same(password):
    first, second = vault.seal(password), vault.seal(password)

    assert vault.opened(first) == vault.opened(second) == password
    assert first != second
    assert vault.holds(first, password)
    assert not vault.holds(first, f"{password}x")


@pytest.mark.parametrize("sealed", ["", "x", "gAAAAA", "é", "g" * 200])
def test_what_nobody_sealed_is_not_opened(sealed):
    with pytest.raises(Unopened):
        vault.opened(sealed)
    assert not vault.holds(sealed, "x")


def test_what_was_altered_is_not_opened():
    sealed = vault.seal("hunter2")
    middle = len(sealed) // 2
    other = "A" if sealed[middle] != "A" else "B"

    with pytest.raises(Unopened) as caught:
        vault.opened(sealed[:middle] + other + sealed[middle + 1 :])
    assert "hunter2" not in str(caught.value)


def test_without_a_key_nothing_is_kept(settings):
    settings.ACCOUNT_KEYS = []

    for act in (lambda: vault.seal("x"), lambda: vault.opened("x"), vault.rotate):
        with pytest.raises(NoKey, match="TICKPLANE_ACCOUNT_KEYS"):
            act()


def test_the_first_key_seals_and_every_key_opens(settings):
    settings.ACCOUNT_KEYS = [OLD]
    old = vault.seal("x")
    settings.ACCOUNT_KEYS = [NEW, OLD]
    new = vault.seal("x")

    assert vault.opened(old) == vault.opened(new) == "x"
    settings.ACCOUNT_KEYS = [NEW]
    assert vault.opened(new) == "x"
    with pytest.raises(Unopened):
        vault.opened(old)


def test_a_parcel_is_its_owners_for_a_while():
    parcel = vault.parcel("text" * 1000, owner="1")

    assert len(parcel) < 1000
    assert vault.unwrapped(parcel, owner="1", within_s=60) == "text" * 1000
    for owner, within_s in (("2", 60), ("1", -1)):
        with pytest.raises(Unopened):
            vault.unwrapped(parcel, owner=owner, within_s=within_s)


def test_a_parcel_is_no_password_and_a_password_no_parcel():
    with pytest.raises(Unopened):
        vault.opened(vault.parcel("x", owner="1"))
    with pytest.raises(Unopened):
        vault.unwrapped(vault.seal("x"), owner="1", within_s=60)


def sealed_accounts(settings, *keys):
    for login, key in enumerate(keys, start=1):
        settings.ACCOUNT_KEYS = [key]
        Account.objects.create(server="S", login=login, sealed_password=vault.seal(f"p{login}"))


@pytest.mark.django_db
def test_all_passwords_are_sealed_with_the_first_key(settings, monkeypatch):
    monkeypatch.setattr(vault, "BATCH", 2)
    sealed_accounts(settings, OLD, NEW, OLD, OLD, OLD)
    Account.objects.create(server="S", login=9)
    settings.ACCOUNT_KEYS = [NEW, OLD]
    out = StringIO()

    call_command("rotate_account_keys", stdout=out)

    assert "5 passwords" in out.getvalue()
    settings.ACCOUNT_KEYS = [NEW]
    rows = Account.objects.exclude(sealed_password="").order_by("login")
    assert [vault.opened(row.sealed_password) for row in rows] == ["p1", "p2", "p3", "p4", "p5"]
    assert Account.objects.get(login=9).sealed_password == ""


@pytest.mark.django_db
def test_a_password_that_no_key_opens_is_named_by_its_account_only(settings):
    sealed_accounts(settings, FOREIGN, OLD)
    lost = Account.objects.get(login=1).sealed_password
    settings.ACCOUNT_KEYS = [NEW, OLD]
    out = StringIO()

    with pytest.raises(CommandError) as caught:
        call_command("rotate_account_keys", stdout=out)

    assert "S/1" in str(caught.value)
    assert lost not in str(caught.value) + out.getvalue()
    assert "1 password" in out.getvalue()
    assert Account.objects.get(login=1).sealed_password == lost
    settings.ACCOUNT_KEYS = [NEW]
    assert vault.opened(Account.objects.get(login=2).sealed_password) == "p2"


@pytest.mark.django_db
def test_without_a_key_rotating_says_so(settings):
    settings.ACCOUNT_KEYS = []

    with pytest.raises(CommandError, match="TICKPLANE_ACCOUNT_KEYS"):
        call_command("rotate_account_keys")


def test_a_new_key_is_printed_and_works(settings):
    out = StringIO()
    call_command("rotate_account_keys", "--new-key", stdout=out)
    settings.ACCOUNT_KEYS = [out.getvalue().strip()]

    assert vault.opened(vault.seal("x")) == "x"
