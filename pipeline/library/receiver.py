"""How one source stands, for the program that added it."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.core.library.config import DataSourceConfig
from pipeline.core.status import SourceStatus, State


class Receiver:
    """
    Attributes:
        config: As it was added.
    """

    def __init__(
        self, config: DataSourceConfig, find: Callable[[str], SourceStatus | None]
    ) -> None:
        self.config = config
        self._find = find

    @property
    def status(self) -> SourceStatus | None:
        """State, last error and counters; None before the start."""
        return self._find(self.config.source_id)

    @property
    def is_running(self) -> bool:
        """Whether a link to the source is open now."""
        status = self.status
        return status is not None and status.links > 0

    @property
    def is_settled(self) -> bool:
        """Whether the first attempt is over, well or not."""
        status = self.status
        return status is not None and (status.links > 0 or status.state is not State.CONNECTING)

    def __repr__(self) -> str:
        status = self.status
        return f"Receiver({self.config.source_id!r}, {status.state.value if status else 'new'})"
