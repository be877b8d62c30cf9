"""Puts log records onto NATS, as JSON: `service.{service}.log.{level}`."""

from __future__ import annotations

import logging

from streams.broker.announce import Announcer

# What is said about carrying records is not carried: it would beget the next.
OWN = {"streams.broker.announce", "streams.broker.carrier"}
CLIENT = "nats"


class NatsHandler(logging.Handler):
    """A handler that never waits. What an announcer has no room for is dropped and counted."""

    def __init__(self, announcer: Announcer, level: int | str = logging.WARNING) -> None:
        super().__init__(level)
        self.announcer = announcer
        self._plain = logging.Formatter()

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """Do without: what follows is safe for threads, and nobody shall wait for a lock."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        if self.announcer.is_own_thread or _is_own(record.name):
            return
        try:
            self.announcer.log(
                level=record.levelname,
                logger=record.name,
                message=record.getMessage(),
                traceback=self._traceback(record),
            )
        except Exception:  # noqa: BLE001 - a record that cannot be formatted ends nobody's work
            self.handleError(record)

    def _traceback(self, record: logging.LogRecord) -> str:
        # Not kept on the record: what other handlers write is redacted by themselves.
        parts = [self._plain.formatException(record.exc_info)] if record.exc_info else []
        if not parts and record.exc_text:
            parts.append(record.exc_text)
        if record.stack_info:
            parts.append(record.stack_info)
        return "\n".join(parts)


def _is_own(name: str) -> bool:
    return name in OWN or name == CLIENT or name.startswith(f"{CLIENT}.")
