"""Who is told that a source fails again and again: here, the log."""

from __future__ import annotations

import logging
from typing import Any

logger = logging.getLogger(__name__)


class LogVoice:
    """See `pipeline.supervise.means.Voice`."""

    def alert(self, level: str, type: str, text: str, **details: Any) -> None:  # noqa: A002
        logger.log(logging.getLevelNamesMapping().get(level.upper(), logging.WARNING), "%s", text)

    def event(self, name: str, **details: Any) -> None:
        logger.info("%s: %s", details.get("source", ""), name)
