"""
A recorded session: pushes, line by line, played again and again in their own rhythm.

Each line is one JSON object: a push (see `core.mt5`) with `at` beside its keys, when it was
recorded, as an ISO time with an offset, or `t`, seconds since some beginning. One session uses one
of the two. Empty lines are skipped.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from accounts.core import mt5
from accounts.core.errors import BadState
from accounts.core.mt5 import Push
from accounts.core.state import AccountState, Moment

MOST_PUSHES = 20_000
# After the last push, before the first comes again, where a session has no rhythm of its own.
_PAUSE_S = 1.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Session(Struct, frozen=True):
    """
    Pushes, and when each was recorded, in seconds since the first.

    One round lasts until the last push has stood as long as the pushes did on average.
    """

    seconds: tuple[float, ...]
    pushes: tuple[Push, ...]
    round_s: float


class _Stamp(Struct):
    at: Moment | None = None
    t: Annotated[float, Meta(ge=0, le=1e9)] | None = None


_decode_stamp = msgspec.json.Decoder(_Stamp).decode


def session(lines: Iterable[bytes]) -> Session:
    """
    Return the session that these lines record.

    Raises:
        BadState: A line is no push, is out of order or of another account, or there is none. The
            message names the line.
    """
    stamps: list[float] = []
    pushes: list[Push] = []
    relative: bool | None = None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            stamp = _stamp(line)
            relative = stamp.t is not None if relative is None else relative
            stamps.append(_seconds(stamp, relative=relative))
            pushes.append(mt5.push(line))
            _check_order(stamps, pushes)
        except BadState as e:
            raise BadState(f"line {number}: {e}") from e
    if not pushes:
        raise BadState("a session has at least one push")
    began = stamps[0]
    seconds = tuple(stamp - began for stamp in stamps)
    return Session(seconds, tuple(pushes), _round(seconds))


def push_at(found: Session, since_start_s: float) -> Push:
    """Return the push that is the newest so many seconds after the session was started."""
    place = bisect_right(found.seconds, since_start_s % found.round_s) - 1
    return found.pushes[place]


def state_at(found: Session, since_start_s: float) -> AccountState | None:
    """Return the state of `push_at`: None while the recorded terminal had lost its broker."""
    return push_at(found, since_start_s).state


def _stamp(line: bytes) -> _Stamp:
    try:
        return _decode_stamp(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise BadState(str(e)) from e


def _seconds(stamp: _Stamp, *, relative: bool) -> float:
    if (stamp.at is None) is (stamp.t is None):
        raise BadState("one of `at` and `t` must be there")
    if (stamp.t is not None) is not relative:
        raise BadState("`at` in one line and `t` in another")
    if stamp.t is not None:
        return stamp.t
    assert stamp.at is not None
    return (stamp.at - _EPOCH).total_seconds()


def _check_order(stamps: list[float], pushes: list[Push]) -> None:
    if len(pushes) > MOST_PUSHES:
        raise BadState(f"more than {MOST_PUSHES} pushes")
    if len(pushes) == 1:
        return
    if stamps[-1] < stamps[-2]:
        raise BadState("recorded before the line above")
    first, last = pushes[0], pushes[-1]
    if (first.server, first.login) != (last.server, last.login):
        raise BadState(f"another account than {first.server}/{first.login}")


def _round(seconds: tuple[float, ...]) -> float:
    span = seconds[-1]
    return span + span / (len(seconds) - 1) if span else _PAUSE_S
