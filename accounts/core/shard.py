"""Accounts are published shard by shard: so many rows in a row."""

from __future__ import annotations

SHARD_SIZE = 500


def shard_of(key: int) -> int:
    """Return the number of the shard that holds this row; rows count from one."""
    return (key - 1) // SHARD_SIZE
