"""The one announcer of this process: who begins, speaks and ends it. For every kind of process."""

from __future__ import annotations

import atexit
import logging
import os
from dataclasses import dataclass
from typing import Any

from streams.broker.announce import Announcer, Details
from streams.broker.loghandler import NatsHandler

OFF = "OFF"


@dataclass
class _Voice:
    announcer: Announcer
    events: bool
    handler: NatsHandler | None
    details: Details | None
    # A process that was forked was neither started nor stopped.
    pid: int


_voices: list[_Voice] = []


def begin(
    *,
    url: str,
    service: str,
    log_level: str = "WARNING",
    events: bool = True,
    details: Details | None = None,
) -> None:
    """
    Let this process speak as `service` from now on. Returns at once, whatever NATS does.

    Before a fork this is for the children too: each gets a thread and a connection of its own when
    it has something to say.

    Args:
        log_level: Records from here on go to NATS, as far as they come to the root logger; `OFF`
            sends none.
        events: Whether to announce the service's life, health and alerts.
        details: What each announcement of health is to hold; see `Announcer.keep_healthy`.
    """
    if _voices or not (events or log_level != OFF):
        return
    announcer = Announcer(url, service)
    handler = None
    if log_level != OFF:
        handler = NatsHandler(announcer, log_level)
        logging.getLogger().addHandler(handler)
    _voices.append(_Voice(announcer, events, handler, details, os.getpid()))
    # Unless somebody ends it earlier: what is waiting goes out, for at most a moment.
    atexit.register(end)


def started() -> None:
    """Announce that the service works, and from now on its health."""
    for voice in _speaking():
        voice.announcer.event("started")
        voice.announcer.keep_healthy(details=voice.details)


def event(name: str, **details: Any) -> None:
    """Announce something else in the life of this service."""
    for voice in _speaking():
        voice.announcer.event(name, **details)


def alert(level: str, type: str, text: str, **details: Any) -> None:  # noqa: A002 - as the subject names it
    """Announce that somebody should look; see `Announcer.alert`."""
    for voice in _speaking():
        voice.announcer.alert(level, type, text, **details)


def end() -> None:
    """Announce that the service stops; return when that is sent, or a moment later."""
    while _voices:
        voice = _voices[-1]
        if voice.events and voice.pid == os.getpid():
            voice.announcer.event("stopping")
        if voice.handler is not None:
            logging.getLogger().removeHandler(voice.handler)
        _voices.pop()
        voice.announcer.close()
    atexit.unregister(end)


def _speaking() -> list[_Voice]:
    return [voice for voice in _voices if voice.events]
