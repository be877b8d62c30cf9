"""Which way a request takes through the web process."""

from __future__ import annotations

from uuid import uuid4

import pytest
from asgiref.testing import ApplicationCommunicator
from django.urls import reverse

from accounts.api import ingest
from accounts.api.shortcut import is_push
from accounts.core import mt5
from controlplane.asgi import MOST_BODY_BYTES, application


@pytest.mark.parametrize(
    ("path", "way"),
    [
        (reverse("account-states"), True),
        (reverse("account-state", args=[uuid4()]), True),
        (reverse("accounts-list"), False),
        (reverse("accounts-detail", args=[uuid4()]), False),
        (reverse("account-states") + "/", False),
        ("/x" + reverse("account-states"), False),
    ],
)
def test_only_what_terminals_push_goes_past_the_middleware(path, way):
    assert bool(is_push(path)) is way


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("POST", 401)])
async def test_a_push_is_answered_without_the_middleware(method, status):
    response = await asked(method, reverse("account-states"))

    assert response["status"] == status
    # Every page has it, from a middleware.
    assert b"X-Frame-Options" not in dict(response["headers"])


async def test_any_other_call_is_answered_by_all_of_django():
    response = await asked("GET", reverse("accounts-list"))

    assert response["status"] == 403
    assert b"X-Frame-Options" in dict(response["headers"])


@pytest.mark.parametrize("path", [reverse("accounts-import"), "/nope"])
async def test_a_body_without_an_end_is_not_kept(path):
    communicator = ApplicationCommunicator(application, scope_of("POST", path))
    body = bytes(1024 * 1024)
    for _ in range(MOST_BODY_BYTES // len(body) + 1):
        await communicator.send_input({"type": "http.request", "body": body, "more_body": True})

    # There is more to come, and nobody waits for it.
    response = await communicator.receive_output(5)

    assert response["status"] == 413
    assert (await communicator.receive_output(5))["body"] == b'{"error":"The body is too long."}'
    await communicator.wait()


async def test_a_push_without_an_end_is_answered_before_it_comes():
    headers = [(b"authorization", b"Bearer tpa_x"), (b"content-type", b"application/json")]
    scope = scope_of("POST", reverse("account-states")) | {"headers": headers}
    communicator = ApplicationCommunicator(application, scope)
    for _ in range(3):
        await communicator.send_input(
            {"type": "http.request", "body": bytes(mt5.MOST_BYTES // 2), "more_body": True}
        )

    response = await communicator.receive_output(5)

    assert response["status"] == 413
    assert (b"connection", b"close") in response["headers"]
    await communicator.receive_output(5)
    await communicator.wait()


async def test_a_terminal_that_has_gone_is_not_answered():
    communicator = ApplicationCommunicator(application, scope_of("POST", reverse("account-states")))
    await communicator.send_input({"type": "http.request", "body": b"{", "more_body": True})
    await communicator.send_input({"type": "http.disconnect"})

    await communicator.wait()
    assert await communicator.receive_nothing()


async def test_a_bug_in_the_view_is_an_answer_of_its_own(monkeypatch, caplog):
    async def broken(request):
        raise ZeroDivisionError

    monkeypatch.setattr(ingest, "states", broken)

    response = await asked("POST", reverse("account-states"))

    assert response["status"] == 500
    assert "ZeroDivisionError" in caplog.text


async def asked(method, path):
    communicator = ApplicationCommunicator(application, scope_of(method, path))
    await communicator.send_input({"type": "http.request", "body": b"{}"})
    response = await communicator.receive_output(5)
    await communicator.receive_output(5)
    await communicator.wait()
    return response


def scope_of(method, path):
    return {
        "type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": b"",
        "query_string": b"", "root_path": "", "scheme": "http", "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80), "headers": [(b"host", b"localhost")],
    }  # fmt: skip
