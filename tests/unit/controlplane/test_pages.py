from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.template.loader import render_to_string

from accounts.api.audit import Audit

pytestmark = pytest.mark.django_db


def test_a_page_that_does_not_exist_leads_to_one_that_does(client):
    answer = client.get("/nothing-here")

    assert answer.status_code == 404
    assert 'href="/"' in answer.content.decode()


def test_a_program_is_told_of_a_wrong_address_in_its_own_words(client):
    answer = client.get("/api/v1/accounts/no-uuid")

    assert answer.status_code == 404
    assert answer.json() == {"error": "There is no such address."}


def test_a_program_is_told_of_a_failure_in_its_own_words(client, monkeypatch):
    def bug(*_arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(Audit, "get", bug)
    client.raise_request_exception = False
    client.force_login(User.objects.create_superuser("boss"))

    answer = client.get("/api/v1/accounts/audit")

    assert answer.status_code == 500
    assert "log of the web server" in answer.json()["error"]


def test_the_page_of_a_failure_needs_nothing_that_may_have_failed():
    page = render_to_string("500.html")  # As Django does it: without the request.

    assert "This did not work" in page


def test_a_form_of_another_session_is_refused_with_a_way_on(client):
    client.handler.enforce_csrf_checks = True

    answer = client.post("/sign-in/", {"username": "a", "password": "b"})

    assert answer.status_code == 403
    assert "nothing was changed" in answer.content.decode()


def test_the_admin_signs_in_as_everything_does_and_says_whom_it_refuses(client):
    client.force_login(User.objects.create_user("reader"))

    page = client.get("/admin/", follow=True).content.decode()

    assert "You are signed in as reader" in page
    assert "Django" not in page


def test_the_admin_carries_our_name_and_a_way_back(admin_client):
    page = admin_client.get("/admin/").content.decode()

    assert "<title>Administration · Tickplane</title>" in " ".join(page.split())
    assert '<a href="/">Dashboard</a>' in page
    assert "Django" not in page
