"""What happened to an account's positions and orders, and how it is told."""

from __future__ import annotations

from msgspec import Struct

from accounts.core.shard import shard_of


class Event(Struct, frozen=True, kw_only=True):
    """
    One encoded event. `id` is the same when it is sent again; `number` has no gap in an account.

    `subject` is where it goes on NATS; empty means the account's own subject.
    """

    id: str
    key: int
    server: str
    login: str
    kind: str
    number: int
    payload: bytes
    subject: str = ""

    @property
    def shard(self) -> int:
        return shard_of(self.key)
