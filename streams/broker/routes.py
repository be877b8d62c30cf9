"""The routes of all subjects in use."""

from __future__ import annotations

from collections.abc import Iterator

from streams.broker.records import Route, Sender
from streams.core import subjects

# More than a full buffer holds, so that no route is forgotten while its records wait.
GENERATION = 100_000


class Routes:
    """
    Two generations: a subject that was not used for a whole generation is forgotten, so that
    subjects without end fit into bounded memory.
    """

    def __init__(self, keep: type[Sender], generation: int = GENERATION) -> None:
        """
        Args:
            keep: Routes with such a sender are not forgotten: their records may wait for long.
        """
        self._keep = keep
        self._generation = generation
        self.young: dict[str, Route] = {}
        self._old: dict[str, Route] = {}

    def get(self, subject: str) -> Route:
        """
        Return the route of a subject that is not in `young`.

        Raises:
            BadSubject: It is not concrete.
        """
        route = self._old.pop(subject, None)
        if route is None:
            subjects.tokens(subject)
            route = Route(subject)
        if len(self.young) >= self._generation:
            kept = {s: r for s, r in self._old.items() if isinstance(r.sender, self._keep)}
            self._old, self.young = self.young | kept, {}
        self.young[subject] = route
        return route

    def of(self, sender: Sender) -> Iterator[Route]:
        for generation in (self.young, self._old):
            for route in generation.values():
                if route.sender is sender:
                    yield route
