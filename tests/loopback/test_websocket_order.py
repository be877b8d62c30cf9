"""However messages come, alone or many at once, whole or in pieces: they are handed on in order."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from pipeline.core import errors
from pipeline.receive.checked import AT_ONCE
from tests.loopback.test_websocket import Pages, exchange, hold, spec

TEXT, BINARY, CONTINUATION, PING, FIN = 1, 2, 0, 9, 0x80


class Notes(Pages):
    """A line that tells how many it was given."""

    def __init__(self, **options):
        super().__init__(**options)
        self._more = asyncio.Event()

    def accept(self, frame, received_ns):
        self._more.set()
        return super().accept(frame, received_ns)

    async def has(self, count):
        async with asyncio.timeout(10):
            while len(self.frames) < count:
                self._more.clear()
                await self._more.wait()


def frame(payload, head=FIN | TEXT):
    return bytes([head, len(payload)]) + payload


def texts(first, count):
    return [b"%d" % number for number in range(first, first + count)]


@asynccontextmanager
async def peer(script, line, **more):
    """A peer that runs a script with a function to write bytes at once."""
    ended = asyncio.Event()

    async def talk(link):
        await script(link.transport.write)
        await ended.wait()

    async with exchange(talk, ping_interval=None) as port:
        task = asyncio.create_task(hold(spec(port, **more), line, None))
        try:
            yield task
        finally:
            ended.set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("trusted", [False, True])
async def test_alone_in_bursts_and_in_pieces(trusted):
    line = Notes()
    expected: list[bytes] = []
    sent = asyncio.Event()

    async def script(write):
        async def send(messages, *frames):
            write(b"".join(frames))
            expected.extend(messages)
            await line.has(len(expected))

        for burst in (1, 1, 3, 1, AT_ONCE - 1, 1, AT_ONCE, AT_ONCE + 1, 100, 1):
            found = texts(len(expected), burst)
            await send(found, *map(frame, found))
        # Pieces, with others at their heels.
        await send(
            [b"one", b"two"], frame(b"o", TEXT), frame(b"ne", FIN | CONTINUATION), frame(b"two")
        )
        write(frame(b"th", TEXT))
        await asyncio.sleep(0.01)
        await send([b"three", b"four"], frame(b"ree", FIN | CONTINUATION), frame(b"four"))
        await send([b"\xff", b"five"], frame(b"\xff", FIN | BINARY), frame(b"five"))
        await send([b"six"], frame(b"", FIN | PING), frame(b"six"), frame(b"", FIN | PING))
        await send([b""], frame(b""))
        sent.set()

    async with peer(script, line, trusted=trusted):
        async with asyncio.timeout(20):
            await sent.wait()

    assert line.frames == expected


async def test_after_one_that_filled_the_last_room_none_is_handed_on():
    line = Notes(room=False)

    async def script(write):
        write(frame(b"0"))
        await line.has(1)
        for number in range(1, 30):
            write(frame(b"%d" % number))
            await asyncio.sleep(0.001)

    async with peer(script, line):
        async with asyncio.timeout(5):
            await line.asked_for_room.wait()
        await asyncio.sleep(0.1)
        assert line.frames == [b"0"]
        line.may_go_on.set()
        await line.has(30)

    assert line.frames == texts(0, 30)


@pytest.mark.parametrize("count", [1, 3])
async def test_a_bug_in_what_comes_after_is_not_swallowed(count):
    line = Notes()

    def break_down(message, received_ns):
        if message == b"%d" % (count - 1):
            raise ZeroDivisionError
        return True

    line.accept = break_down  # type: ignore[method-assign]

    async def script(write):
        await asyncio.sleep(0.05)
        write(b"".join(map(frame, texts(0, count))))

    async with peer(script, line) as task:
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(task, 5)


async def test_one_that_is_alone_breaks_the_silence():
    line = Notes()

    async def script(write):
        for number in range(8):
            write(frame(b"%d" % number))
            await asyncio.sleep(0.1)

    async with peer(script, line, silence_s=0.3) as task:
        with pytest.raises(errors.LinkLost, match="silent"):
            await asyncio.wait_for(task, 5)

    assert line.frames == texts(0, 8)
