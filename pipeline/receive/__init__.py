"""From a source's socket to `Stages.accept`. One module per protocol; KINDS is the only list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ssl import SSLContext
from typing import TypeAlias

from pipeline.core.spec import SourceSpec
from pipeline.receive import websocket
from pipeline.receive.stages import Line, Stages

__all__ = ["KINDS", "Hold", "Line", "Stages"]

Hold: TypeAlias = Callable[[SourceSpec, Line, SSLContext | None], Awaitable[None]]

KINDS: dict[str, Hold] = {"websocket": websocket.hold}
