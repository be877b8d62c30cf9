from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from accounts.core.batch import Batch, batches
from accounts.core.messages import Message
from accounts.core.shard import SHARD_SIZE

sizes = st.integers(1, 400) | st.integers(900, 1100) | st.just(5000)


def message(seq: int, size: int, shard: int = 0) -> Message:
    return Message(
        id=f"a:1:{seq}", key=shard * SHARD_SIZE + 1, server="S", login="1", kind="update", seq=seq,
        payload=b"x" * size,
    )  # fmt: skip


@given(st.lists(st.tuples(sizes, st.integers(0, 2)), max_size=60))
def test_batches_keep_every_message_its_order_and_the_limits_of_the_contract(given_messages):
    messages = [message(seq, size, shard) for seq, (size, shard) in enumerate(given_messages)]

    found = list(batches(messages))

    assert [m for batch in found for m in batch.messages] == messages
    for batch in found:
        assert 1 <= len(batch.messages) <= 10
        if len(batch.messages) > 1:
            assert len(batch.payload) < 10 * 1024
            assert all(len(m.payload) < 1024 for m in batch.messages)
            assert {m.shard for m in batch.messages} == {batch.shard}
        assert re.split(rb"\s*\n+\s*", batch.payload) == [m.payload for m in batch.messages]


def test_small_messages_fill_a_batch_before_the_next_begins():
    found = list(batches(message(seq, 100) for seq in range(25)))

    assert [len(batch.messages) for batch in found] == [10, 10, 5]


def test_company_can_be_refused():
    found = list(batches((message(seq, 100) for seq in range(3)), most=1))

    assert [len(batch.messages) for batch in found] == [1, 1, 1]


def test_a_batch_ends_where_the_next_shard_begins():
    found = list(batches(message(seq, 100, shard=seq // 2) for seq in range(5)))

    assert [(batch.shard, len(batch.messages)) for batch in found] == [(0, 2), (1, 2), (2, 1)]


def test_a_large_message_travels_alone_and_in_its_place():
    found = list(batches([message(0, 10), message(1, 1024), message(2, 10), message(3, 10)]))

    assert [[m.seq for m in batch.messages] for batch in found] == [[0], [1], [2, 3]]


def test_a_batch_is_known_by_its_first_message():
    assert Batch((message(4, 1), message(5, 1))).id == "a:1:4"
