"""What this process tells NATS of itself, as the settings want it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from streams.broker import voice
from streams.broker.announce import Details


@contextmanager
def announced(*, service: str, url: str = "", details: Details | None = None) -> Iterator[None]:
    """
    Speak as `service` while the block runs.

    Args:
        url: Where NATS is; without it, where the settings say.
        details: What each announcement of health is to hold; see `Announcer.keep_healthy`.
    """
    voice.begin(
        url=url or settings.NATS_URL,
        service=service,
        log_level=settings.NATS_LOG_LEVEL,
        events=settings.NATS_EVENTS,
        details=details,
    )
    voice.started()
    try:
        yield
    finally:
        voice.end()


def announce(*, event: str, **details: Any) -> None:
    """Announce something in the life of the service that this process is."""
    voice.event(event, **details)


def alert(*, level: str, type: str, text: str, **details: Any) -> None:  # noqa: A002 - as the subject names it
    """
    Announce that somebody should look: `system.alert.{level}.{type}`.

    Args:
        level: `info`, `warning` or `critical`.
    """
    voice.alert(level, type, text, **details)
