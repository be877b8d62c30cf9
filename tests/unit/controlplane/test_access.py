from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import Account, AuditEntry
from controlplane import access
from controlplane.models import ApiToken

pytestmark = pytest.mark.django_db

LIST = "/api/v1/accounts"
NEW = {"server": "S", "login": "1"}


@pytest.fixture
def boss():
    return User.objects.create_superuser("boss")


@pytest.fixture
def reader():
    return User.objects.create_user("reader")


def made(user, *scopes, expires_at=None):
    token, secret = access.create(
        user=user,
        name="robot",
        scopes=scopes or access.SCOPES,
        expires_at=expires_at,
        actor="test",
        now=timezone.now(),
    )
    return token, {"HTTP_AUTHORIZATION": f"Bearer {secret}"}


def test_only_the_digest_of_a_secret_is_kept(boss):
    token, header = made(boss, "accounts:read")
    secret = header["HTTP_AUTHORIZATION"].removeprefix("Bearer ")

    row = ApiToken.objects.values().get()

    assert secret.startswith("tp_")
    assert len(secret) > 40
    assert row["digest"] == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(row)
    assert secret not in str(list(AuditEntry.objects.values()))
    assert secret.startswith(token.prefix)


def test_a_token_calls_as_its_user_within_its_scopes(client, boss):
    _token, reading = made(boss, "accounts:read")
    _token, writing = made(boss, "accounts:read", "accounts:write")

    assert client.get(LIST, **reading).status_code == 200
    refused = client.post(LIST, NEW, content_type="application/json", **reading)
    taken = client.post(LIST, NEW, content_type="application/json", **writing)

    assert (refused.status_code, taken.status_code) == (403, 201)
    assert refused.json() == {"error": "The token lacks the scope accounts:write."}
    assert 'error="insufficient_scope", scope="accounts:write"' in refused["WWW-Authenticate"]
    assert Account.objects.count() == 1


def test_views_with_permissions_of_their_own_ask_for_the_scope_too(client, boss, settings):
    settings.API_ANONYMOUS = True
    _token, header = made(boss, "accounts:read", "accounts:write", "streams:read")
    body = {"subject": "a.b", "message": "x"}

    answer = client.post("/api/v1/publish", body, content_type="application/json", **header)

    assert answer.status_code == 403
    assert "streams:write" in answer.json()["error"]


def test_a_token_reaches_no_further_than_its_user(client, reader):
    _token, header = made(reader)

    assert client.get(LIST, **header).status_code == 200
    assert client.get(f"{LIST}/audit", **header).status_code == 403
    answer = client.post(LIST, NEW, content_type="application/json", **header)
    assert answer.status_code == 403
    assert "WWW-Authenticate" not in answer


def test_staff_write_with_the_permission_and_not_without(client, reader):
    reader.is_staff = True
    reader.save()
    client.force_login(reader)
    without = client.post(LIST, NEW, content_type="application/json")
    reader.user_permissions.add(Permission.objects.get(codename="add_account"))
    having = client.post(LIST, NEW, content_type="application/json")

    assert (without.status_code, having.status_code) == (403, 201)


def test_the_permission_is_nothing_to_who_is_not_staff(client, reader):
    reader.user_permissions.add(Permission.objects.get(codename="add_account"))
    client.force_login(reader)

    assert client.post(LIST, NEW, content_type="application/json").status_code == 403


@pytest.mark.parametrize(
    "header", ["Bearer tp_nonsense", "Bearer ", "bearer x", "Bearer tpa_of_an_account", "Bearer é"]
)
def test_what_is_no_token_is_refused_with_a_challenge(client, boss, header):
    client.force_login(boss)  # A session does not stand in for a bad token.

    answer = client.get(LIST, HTTP_AUTHORIZATION=header)

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="Tickplane", error="invalid_token"'
    assert list(answer.json()) == ["error"]


def test_who_shows_nothing_is_told_what_to_show(client):
    answer = client.get(LIST)

    assert answer.status_code == 403
    assert answer["WWW-Authenticate"] == 'Bearer realm="Tickplane"'


def ended(token):
    access.revoke(token=token, actor="test", now=timezone.now())


def expired(token):
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def switched_off(token):
    User.objects.update(is_active=False)


def deleted(token):
    token.user.delete()


@pytest.mark.parametrize("end", [ended, expired, switched_off, deleted])
def test_a_token_that_has_ended_is_refused(client, boss, end):
    token, header = made(boss)
    assert client.get(LIST, **header).status_code == 200

    end(token)

    assert client.get(LIST, **header).status_code == 401


def test_use_is_noted_once_a_minute(boss, django_assert_num_queries):
    token, header = made(boss)
    secret, now = header["HTTP_AUTHORIZATION"].removeprefix("Bearer "), timezone.now()

    with django_assert_num_queries(2):
        access.find(secret=secret, now=now)
    with django_assert_num_queries(1):
        access.find(secret=secret, now=now + timedelta(seconds=59))
    token.refresh_from_db()
    assert token.last_used_at == now
    with django_assert_num_queries(2):
        access.find(secret=secret, now=now + timedelta(seconds=60))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["accounts:read", "accounts:everything"]}, "scopes"),
        ({"expires_at": timezone.now() - timedelta(days=1)}, "expires_at"),
    ],
)
def test_a_token_that_cannot_be_is_refused_by_field(boss, wrong, field):
    asked = {"name": "n", "scopes": ["accounts:read"], "expires_at": None} | wrong

    with pytest.raises(access.BadToken) as refused:
        access.create(user=boss, actor="test", now=timezone.now(), **asked)

    assert refused.value.field == field
    assert not ApiToken.objects.exists()


def test_scopes_follow_from_app_and_method():
    assert access.scope("accounts.api.records", "GET") == "accounts:read"
    assert access.scope("accounts.api.records", "DELETE") == "accounts:write"
    assert access.scope("streams.api", "HEAD") == "streams:read"
    assert access.scope("drf_spectacular.views", "GET") is None
    assert set(access.SCOPES) >= {"accounts:read", "accounts:write", "streams:read"}


def test_the_command_makes_lists_and_ends_a_token(client, boss, capsys):
    call_command("api_token", "create", "boss", "--name", "ci", "--scope", "accounts:read")
    secret = capsys.readouterr().out.strip()
    assert client.get(LIST, HTTP_AUTHORIZATION=f"Bearer {secret}").status_code == 200

    call_command("api_token", "list")
    listed = capsys.readouterr().out
    assert secret not in listed
    assert f"{secret[:11]}  alive     boss  accounts:read  ci" in listed

    call_command("api_token", "revoke", secret[:11])
    assert client.get(LIST, HTTP_AUTHORIZATION=f"Bearer {secret}").status_code == 401
    with pytest.raises(CommandError, match="ended already"):
        call_command("api_token", "revoke", secret[:11])
    acts = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
    assert acts == ["api_token.create", "api_token.revoke"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["create", "nobody", "--name", "x", "--scope", "accounts:read"], "no user nobody"),
        (["create", "boss", "--name", "x"], "at least one"),
        (["create", "boss", "--name", "x", "--scope", "a:b"], "a:b is not one of"),
        (["create", "boss", "--name", "x", "--scope", "accounts:read", "--days", "0"], "--days"),
        (["revoke", "tp_unknown"], "0 tokens"),
    ],
)
def test_the_command_says_what_is_wrong(boss, words, said):
    with pytest.raises(CommandError, match=said) as refused:
        call_command("api_token", *words)
    assert refused.value.returncode == 2


def form(user, **changes):
    return {
        "user": user.pk,
        "name": "robot",
        "scopes": ["accounts:read"],
        "expires_at_0": "",
        "expires_at_1": "",
    } | changes


ADMIN = "/admin/controlplane/apitoken/"


def test_the_admin_shows_a_secret_once_and_keeps_it_nowhere(client, boss):
    client.force_login(boss)

    made = client.post(f"{ADMIN}add/", form(boss))
    token = ApiToken.objects.get()

    page = made.content.decode()
    secret = page.split('<code id="secret">')[1].split("<")[0]
    assert hashlib.sha256(secret.encode()).hexdigest() == token.digest
    assert "no-store" in made["Cache-Control"]
    for address in (ADMIN, f"{ADMIN}{token.pk}/change/", f"{ADMIN}{token.pk}/history/"):
        answer = client.get(address)
        assert answer.status_code == 200
        assert secret not in answer.content.decode()
        assert token.prefix in answer.content.decode() or "history" in address


def test_a_token_cannot_be_altered_in_the_admin_but_ended(client, boss):
    client.force_login(boss)
    token, header = made(boss, "accounts:read")

    client.post(f"{ADMIN}{token.pk}/change/", form(boss, scopes=["accounts:write"]))
    token.refresh_from_db()
    assert token.scopes == ["accounts:read"]

    said = client.post(ADMIN, {"action": "revoke", "_selected_action": [token.pk]}, follow=True)
    assert "1 token revoked." in said.content.decode()
    client.logout()
    assert client.get(LIST, **header).status_code == 401


def test_staff_make_tokens_for_themselves_only(client, boss, reader):
    reader.is_staff = True
    reader.save()
    reader.user_permissions.set(Permission.objects.filter(content_type__model="apitoken"))
    _token, _header = made(boss)
    client.force_login(reader)

    refused = client.post(f"{ADMIN}add/", form(boss))
    client.post(f"{ADMIN}add/", form(reader))

    assert "Select a valid choice" in refused.content.decode()
    assert ApiToken.objects.filter(user=reader).count() == 1
    assert ApiToken.objects.filter(user=boss).count() == 1
    assert "boss" not in client.get(ADMIN).content.decode().split('id="result_list"')[1]


def test_who_has_tokens_can_be_deleted_in_the_admin(client, boss, reader):
    made(reader)
    client.force_login(boss)

    client.post(f"/admin/auth/user/{reader.pk}/delete/", {"post": "yes"})

    assert not User.objects.filter(pk=reader.pk).exists()
