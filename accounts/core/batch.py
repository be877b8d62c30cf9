r"""
Several messages as one: joined by a line feed, which JSON of ours never holds.

A consumer splits on `\s*\n+\s*` and drops what is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from accounts.core.messages import Message

MOST_MESSAGES = 10
SMALL_BYTES = 1024  # A message must stay under this to travel in company,
BATCH_BYTES = 10 * 1024  # and a batch under this.


class Batch(Struct, frozen=True):
    """Messages of one shard that share one publish, and so one fate."""

    messages: tuple[Message, ...]

    @property
    def id(self) -> str:
        return self.messages[0].id

    @property
    def shard(self) -> int:
        return self.messages[0].shard

    @property
    def payload(self) -> bytes:
        return b"\n".join(message.payload for message in self.messages)


def batches(messages: Iterable[Message], most: int = MOST_MESSAGES) -> Iterator[Batch]:
    """
    Yield every message once, in order, in as few batches as the contract allows.

    A message of a kilobyte or more travels alone. A batch has one address, so it holds messages of
    one shard.

    Args:
        most: Messages in a batch.
    """
    company: list[Message] = []
    size = shard = 0
    for message in messages:
        length = len(message.payload)
        alone = length >= SMALL_BYTES
        grown = size + length + 1
        if company and (
            alone or len(company) >= most or grown > BATCH_BYTES or message.shard != shard
        ):
            yield Batch(tuple(company))
            company, size = [], 0
        if alone:
            yield Batch((message,))
        else:
            if not company:
                shard = message.shard
            company.append(message)
            size += length + 1
    if company:
        yield Batch(tuple(company))
