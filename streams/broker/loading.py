"""
Loads nats-py without aiohttp, whenever somebody loads it.

The client imports aiohttp wherever that is installed, for NATS over WebSockets, which we do not
speak: 8 MB in each process. The pipeline has it installed, for REST. And to load the client just
for that would cost 7 MB in each process that only gets ready to speak.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

ASKING = "nats.aio.transport"
HIDDEN = "aiohttp"


class _Hiding(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        sys.modules[HIDDEN] = None  # type: ignore[assignment]  # so it is said not to be installed
        try:
            super().exec_module(module)
        finally:
            del sys.modules[HIDDEN]


class _Finder(MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != ASKING or HIDDEN in sys.modules:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.origin is not None:
            spec.loader = _Hiding(name, spec.origin)
        return spec


def keep_aiohttp_out() -> None:
    """Hide it from the client, if that is not loaded yet; everybody else finds it as ever."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
