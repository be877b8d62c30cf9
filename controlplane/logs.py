"""Logging: one line per event on standard error, without secrets."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from streams.core.redaction import redacted

__all__ = ["RedactingFormatter", "configuration", "move_to", "redacted"]


class RedactingFormatter(logging.Formatter):
    """Redacts the finished line, so that tracebacks are covered too."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def move_to(file: Path) -> None:
    """Send everything to a file from now on, and only warnings to standard error."""
    root = logging.getLogger()
    into_file = logging.FileHandler(file, encoding="utf-8")
    for handler in root.handlers:
        into_file.setFormatter(handler.formatter)
        handler.setLevel(logging.WARNING)
    root.addHandler(into_file)


def configuration(level: str, publish_level: str = "") -> dict[str, Any]:
    """
    Return the `logging.config.dictConfig` for this level.

    Args:
        publish_level: For the line of each account message; the same when it is empty.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": RedactingFormatter,
                "format": "{asctime} {levelname} {name} {message}",
                "style": "{",
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        # A tick each second: its success is a number on a page, not a line in a log.
        "loggers": {
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.beat": {"level": "WARNING"},
            # Named, so that a Celery worker's --loglevel, which sets the root's, leaves it alone.
            "accounts.publish": {"level": publish_level or level},
            # It says eight times over that a broker is away; accounts.publish says it once.
            "pika": {"level": "CRITICAL"},
        },
    }
