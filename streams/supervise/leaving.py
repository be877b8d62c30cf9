"""A restart that an operator asked for: a server that goes in its own time, if it goes."""

from __future__ import annotations

import signal

import msgspec

from streams.core.serverconf import NodeConfiguration
from streams.supervise.process import STOP_S, Process

# The server closes its clients one after another for as long as it was told, then ends.
LAME_DUCK_EXTRA_S = 10.0


class Leaving(msgspec.Struct, frozen=True):
    """A server that was told to end: when it is told again, and when it is killed."""

    end_s: float
    kill_s: float


def begin(process: Process, c: NodeConfiguration, now_s: float) -> Leaving:
    """Tell the server to end, each kind of server in its way."""
    if c.routes is None:
        process.signal(signal.SIGTERM)
        return Leaving(now_s, now_s + STOP_S)
    # Leaders step down and clients are sent to the other nodes before it ends.
    process.signal(signal.SIGUSR2)
    lame_s = c.lame_duck_s + LAME_DUCK_EXTRA_S
    return Leaving(now_s + lame_s, now_s + lame_s + STOP_S)


def press_on(process: Process, leaving: Leaving, now_s: float) -> None:
    """End a server that takes too long."""
    if now_s > leaving.kill_s:
        process.signal(signal.SIGKILL)
    elif now_s > leaving.end_s:
        process.signal(signal.SIGTERM)
