"""The operator's own handshake: what to say, what must be heard, within what time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline.core.errors import AuthRefused, LinkLost, ReceiveError
from pipeline.core.spec import HandshakeStep


class Script:
    """
    Step by step. An error names the step's number and no text of it: that may be a login.

    Attributes:
        done: From here on frames are data.
    """

    def __init__(self, steps: Sequence[HandshakeStep]) -> None:
        self._steps = steps
        self._at = 0
        self._said = False
        self._until_s = math.inf
        self._error: ReceiveError | None = None
        self.done = not steps

    def say(self, now_s: float) -> tuple[list[bytes], float]:
        """
        Return what to send now, and when to ask again at the latest.

        Raises:
            LinkLost: What was expected did not come, or something else did.
            AuthRefused: The venue said no.
        """
        if self._error is not None:
            raise self._error
        texts: list[bytes] = []
        while not self.done:
            step = self._steps[self._at]
            if not self._said:
                self._said = True
                self._until_s = now_s + step.within_s
                texts += [step.send.encode()] if step.send else []
            if step.expect:
                break
            self._next()
        if not self.done and now_s >= self._until_s:
            raise LinkLost(
                f"handshake: nothing came within {self._steps[self._at].within_s:g} s "
                f"of step {self._at + 1}"
            )
        return texts, self._until_s

    def hear(self, frame: bytes, *, refusal: bool) -> None:
        """
        Take the next frame; `say` tells what comes of it.

        Args:
            refusal: Whether the venue's own words for «no» stand in it.
        """
        if self.done or not self._said:
            return
        step = self._steps[self._at]
        if step.expect.encode() in frame:
            self._next()
        elif refusal:
            self._error = AuthRefused(f"handshake: step {self._at + 1} was refused")
        else:
            self._error = LinkLost(f"handshake: not the expected answer to step {self._at + 1}")

    def _next(self) -> None:
        self._at += 1
        self._said = False
        self.done = self._at == len(self._steps)
