"""What others said, as it may stand in logs, statuses and messages."""

from __future__ import annotations

from picows import WSHandshakeError

from pipeline.core.shown import shortened


def said(error: Exception) -> str:
    """
    Return the text of an error in one short line.

    Of a handshake without what the peer answered: that may be our own request, with its login.
    """
    text = str(error) or type(error).__name__
    if isinstance(error, WSHandshakeError):
        text = text.partition(":")[0]
    return shortened(text)
