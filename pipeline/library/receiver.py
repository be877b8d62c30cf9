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
    def status(self) -> SourceStatus:
        """State, last error and counters."""
        source_id = self.config.source_id
        found = self._find(source_id)
        return found or SourceStatus(
            source_id=source_id, began_ns=0, state=State.STOPPED, since_ns=0
        )

    @property
    def is_running(self) -> bool:
        """Whether a link to the source is open now."""
        return self.status.links > 0

    @property
    def is_settled(self) -> bool:
        """Whether the first attempt is over, well or not."""
        found = self._find(self.config.source_id)
        return found is not None and (found.links > 0 or found.state is not State.CONNECTING)

    def __repr__(self) -> str:
        return f"Receiver({self.config.source_id!r}, {self.status.state.value})"
