"""What a receiver sees of all that comes after it."""

from __future__ import annotations

from typing import Protocol


class Stages(Protocol):
    """See `pipeline.flow.Stages`."""

    def accept(self, frame: bytes | memoryview, received_ns: int) -> bool: ...

    async def room(self) -> None: ...
