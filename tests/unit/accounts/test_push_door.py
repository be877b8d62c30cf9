"""What the address that terminals push to refuses before it looks at a state."""

from __future__ import annotations

import gzip

import pytest

STATES = "/api/v1/accounts/states"
ONE = "/api/v1/accounts/7f2d4c3e-6a51-4a0e-9c7e-0d8f6a1b2c3d/state"
TOKEN = {"Authorization": "Bearer tpa_nobody-made-this"}


@pytest.mark.parametrize("path", [ONE, STATES])
def test_a_body_that_is_packed_is_refused_for_that(client, path):
    answer = client.post(
        path, gzip.compress(b"{}"), "application/json", headers=TOKEN | {"Content-Encoding": "gzip"}
    )

    assert answer.status_code == 415
    assert answer.json() == {"error": "Content-Encoding is not supported"}


@pytest.mark.parametrize("path", [ONE, STATES])
def test_a_state_is_pushed_by_post(client, path):
    answer = client.get(path, headers=TOKEN)

    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert answer.json() == {"error": "a state is pushed by POST"}


# The intake has a connection of its own.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("body", [b'{"accounts":[]}', b'{"accounts":[{}]}'])
def test_an_unknown_token_may_push_nothing_at_all(client, body):
    answer = client.post(STATES, body, "application/json", headers=TOKEN)

    assert answer.status_code == 401
    assert answer.json() == {"error": "the token is unknown or was revoked"}
