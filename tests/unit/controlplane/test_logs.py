from __future__ import annotations

import logging

import pytest

from controlplane import logs

CANARY = "hunter2canary"


@pytest.mark.parametrize(
    "text",
    [
        f"cannot connect to nats://user:{CANARY}@host:4222/x",
        f"amqp://guest:{CANARY}@localhost:5672//",
        f'{{"password": "{CANARY}", "login": 1}}',
        f"password={CANARY} login=1",
        f"Authorization: Bearer {CANARY}",
        f"Authorization: Basic {CANARY}",
        f"Proxy-Authorization: Digest {CANARY}",
        f"TICKPLANE_SECRET_KEY={CANARY}",
        f"TICKPLANE_ACCOUNT_KEYS={CANARY},{CANARY}=",
        f"refused: tpa_{CANARY * 3}",
        f"GET /x?t=tp_{CANARY * 3} 404",
        f"the user's $2b$10${(CANARY * 5)[:53]} is none",
    ],
)
def test_no_secret_reaches_a_log_line(text):
    assert CANARY not in logs.redacted(text)


def test_ordinary_text_stays():
    text = "market data: 3 of 5 at nats://127.0.0.1:4222 after 2.5 s; tpa_18JmN73-… revoked"

    assert logs.redacted(text) == text


def test_tracebacks_are_redacted_too():
    formatter = logs.RedactingFormatter("{message}", style="{")
    error = ValueError(f"refused: amqp://a:{CANARY}@b")
    record = logging.LogRecord("x", 40, "f", 1, "failed", (), (ValueError, error, None))

    assert CANARY not in formatter.format(record)
