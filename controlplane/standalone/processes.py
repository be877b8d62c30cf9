"""The family tree: this process, its children and theirs, and the memory they hold."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


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
