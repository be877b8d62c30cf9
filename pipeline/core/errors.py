"""
What can go wrong with a datum, by stage.

* PipelineError
    * ReceiveError      the source; reconnect
        * LinkLost
        * Throttled     we asked too much; wait for so long
        * AuthRefused   permanent
        * Refused       permanent; the venue does not take a subscription of ours
    * DecodeError       permanent; one frame; count it, go on
    * BadOption         permanent; a source cannot be as it is declared
    * BadRecording      permanent; a file of recorded traffic cannot be replayed
    * NotRunning        the library's pipeline has nothing to give, and nothing will come
"""

from __future__ import annotations

from typing import ClassVar


class PipelineError(Exception):
    """Base class. `permanent` says whether trying again can help."""

    permanent: ClassVar[bool] = False


class ReceiveError(PipelineError):
    """The link to a source failed."""


class LinkLost(ReceiveError):
    """The source closed, went silent, or could not be reached."""


class Throttled(ReceiveError):
    """
    The source answers no more for a while, because we asked too much.

    Attributes:
        wait_s: For so long.
    """

    def __init__(self, status: int, wait_s: float) -> None:
        super().__init__(f"answered with {status}: too many calls; none for {wait_s:g} s")
        self.wait_s = wait_s


class AuthRefused(ReceiveError):
    """The source refused our credentials."""

    permanent = True


class Refused(ReceiveError):
    """The source does not take what we ask for, such as a subscription."""

    permanent = True


class BadOption(PipelineError):
    """
    A source cannot be as it is declared.

    Attributes:
        field: The field of the source that is wrong.
        reason: Why, without the field.
    """

    permanent = True

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class DecodeError(PipelineError):
    """
    A frame is not what its source promised.

    Attributes:
        reason: One of few words, to count by: `json`, `shape`, `text`, `number`, `nesting`; of the
            library's deserialisers also `size`, `frame`, `checksum`.
    """

    permanent = True

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class BadRecording(PipelineError):
    """A file of recorded traffic cannot be read as one. The text names file and line."""

    permanent = True


class NotRunning(PipelineError):
    """The pipeline was not started, or was stopped and everything that it took in was taken."""
