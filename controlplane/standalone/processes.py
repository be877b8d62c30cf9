"""The family tree: this process, its children and theirs, and the memory they hold."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from pathlib import Path

PROC = Path("/proc")
# glibc's; another C library lacks the calls, and does without.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
M_ARENA_MAX = -8
ARENAS = 2


def share_heaps() -> None:
    """Let all threads of this process share two heaps; call it before they begin."""
    if _LIBC is not None and hasattr(_LIBC, "mallopt"):
        _LIBC.mallopt(M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Return to the system what the start took: the first migrations alone leave 10 MB."""
    gc.collect()
    if _LIBC is not None and hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)


def family(root: int) -> set[int]:
    """Return the pids of a process and all its descendants; only the process itself off Linux."""
    parents: dict[int, int] = {}
    for entry in PROC.glob("[0-9]*/stat"):
        try:
            text = entry.read_text()
        except OSError:
            continue  # It ended while we looked.
        # The name, in brackets, may hold spaces and brackets itself.
        parents[int(entry.parent.name)] = int(text.rpartition(")")[2].split()[1])
    found = {root}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more


def resident_mb(pids: set[int]) -> float:
    """Return the resident memory of the processes together, in MB; shared pages count each time."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for pid in pids:
        try:
            total += int((PROC / str(pid) / "statm").read_text().split()[1]) * page
        except OSError:
            continue
    return total / 1024 / 1024
