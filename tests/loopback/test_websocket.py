from __future__ import annotations

import asyncio
import math
import socket
from base64 import b64encode
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import serve

from pipeline.core import errors
from pipeline.core.spec import Credentials, SourceSpec
from pipeline.receive import websocket


class Pages:
    """A line that keeps what it is given, and has nothing to say."""

    def __init__(self, *, room: bool = True):
        self.url = ""
        self.frames: list[bytes] = []
        self.has_room = room
        self.asked_for_room = asyncio.Event()
        self.may_go_on = asyncio.Event()

    def accept(self, frame, received_ns):
        assert received_ns > 0
        self.frames.append(bytes(frame))
        return self.has_room

    async def room(self):
        self.asked_for_room.set()
        await self.may_go_on.wait()
        self.has_room = True

    def say(self, now_s):
        return [], math.inf

    async def stirred(self, at_most_s):
        await asyncio.Event().wait()


async def hold(spec, line, ssl, **more):
    line.url = spec.endpoint
    await websocket.hold(spec, line, ssl, **more)


@pytest.fixture(params=["checked", "raw"])
def kind(request):
    """Both ways to read a link."""
    return {"trusted": request.param == "raw"}


def spec(port, **more):
    return SourceSpec(
        source_id="binance-test",
        protocol="websocket",
        endpoint=f"ws://127.0.0.1:{port}/stream",
        venue="binance",
        **({"silence_s": 5.0} | more),
    )


@asynccontextmanager
async def exchange(handler, **options):
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def raw_peer(answer):
    """A TCP server that answers the handshake with whatever `answer` writes."""

    async def talk(reader, writer):
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_hands_on_each_message_then_says_the_link_is_lost(kind):
    async def two_messages(link):
        await link.send("one")
        await link.send(b"two")

    stages = Pages()
    async with exchange(two_messages) as port:
        with pytest.raises(errors.LinkLost, match="closed"):
            await hold(spec(port, **kind), stages, None)

    assert stages.frames == [b"one", b"two"]


async def test_a_link_is_closed_as_the_protocol_wants_it(kind):
    codes: list[int | None] = []

    async def note(link):
        await link.send("one")
        await link.wait_closed()
        codes.append(link.close_code)

    async with exchange(note) as port:
        with pytest.raises(errors.LinkLost, match="silent"):
            await hold(spec(port, silence_s=0.1, **kind), Pages(), None)

    assert codes == [1000]


async def test_a_close_without_a_code_is_answered_by_a_valid_one():
    heard: list[Any] = []

    async def close_without_a_word(link):
        async with link.send_context():
            link.protocol.send_close()
        await link.wait_closed()
        heard.append(link.protocol.parser_exc)

    async with exchange(close_without_a_word) as port:
        with pytest.raises(errors.LinkLost, match="closed"):
            await hold(spec(port, trusted=True), Pages(), None)

    assert heard == [None]


async def test_fragments_are_one_message(kind):
    async def in_pieces(link):
        await link.send(["on", "e"])

    stages = Pages()
    async with exchange(in_pieces) as port:
        with pytest.raises(errors.LinkLost):
            await hold(spec(port, **kind), stages, None)

    assert stages.frames == [b"one"]


async def test_silence_is_a_lost_link(kind):
    async def one_then_nothing(link):
        await link.send("one")
        await link.wait_closed()

    stages = Pages()
    async with exchange(one_then_nothing) as port:
        with pytest.raises(errors.LinkLost, match="silent"):
            await hold(spec(port, silence_s=0.2, **kind), stages, None)

    assert stages.frames == [b"one"]


async def test_a_message_that_never_ends_is_silence_too(kind):
    async def drip(link):
        async def pieces():
            while True:
                yield "x"
                await asyncio.sleep(0.02)

        with suppress(Exception):
            await link.send(pieces())

    stages = Pages()
    async with exchange(drip) as port:
        with pytest.raises(errors.LinkLost, match="silent"):
            await hold(spec(port, silence_s=0.3, **kind), stages, None)

    assert stages.frames == []


@pytest.mark.parametrize("status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN])
async def test_refused_credentials_are_permanent(status):
    def refuse(connection, request):
        return connection.respond(status, "no")

    async with exchange(lambda _: None, process_request=refuse) as port:
        with pytest.raises(errors.AuthRefused) as caught:
            await hold(spec(port), Pages(), None)

    assert caught.value.permanent


async def test_a_server_with_trouble_of_its_own_is_tried_again():
    def stumble(connection, request):
        return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "later")

    async with exchange(lambda _: None, process_request=stumble) as port:
        with pytest.raises(errors.LinkLost) as caught:
            await hold(spec(port), Pages(), None)

    assert not caught.value.permanent


async def test_credentials_travel_in_the_handshake():
    seen = []

    async def look(link):
        seen.append(link.request.headers["Authorization"])

    login = Credentials(username="reader", password="hush")
    async with exchange(look) as port:
        with pytest.raises(errors.LinkLost):
            await hold(spec(port, credentials=login), Pages(), None)

    assert seen == ["Basic " + b64encode(b"reader:hush").decode()]


async def test_a_peer_that_never_answers_the_handshake_is_given_up():
    gone = asyncio.Event()

    async def hang(writer):
        await writer.wait_closed()

    async def talk(reader, writer):
        while await reader.read(1024):
            pass
        gone.set()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(errors.LinkLost, match=r"0\.2 s"):
            await hold(spec(port), Pages(), None, connect_s=0.2)
        # The socket of the attempt does not stay behind.
        async with asyncio.timeout(5):
            await gone.wait()


async def test_a_peer_that_closes_during_the_handshake_is_a_lost_link():
    async def say_nothing(writer):
        pass

    async with raw_peer(say_nothing) as port:
        with pytest.raises(errors.LinkLost, match="handshake"):
            await hold(spec(port), Pages(), None)


async def test_nobody_there_is_a_lost_link():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))

        with pytest.raises(errors.LinkLost, match="no connection"):
            await hold(spec(unused.getsockname()[1]), Pages(), None)


async def test_a_redirect_is_not_followed():
    async def redirect(writer):
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\n\r\n")
        await writer.drain()

    async with raw_peer(redirect) as port:
        with pytest.raises(errors.LinkLost):
            await hold(spec(port), Pages(), None)


async def test_a_message_beyond_the_cap_ends_the_link(kind):
    async def flood(link):
        with suppress(Exception):
            await link.send("x" * (1024 * 1024 + 1))
            await link.wait_closed()

    stages = Pages()
    async with exchange(flood) as port:
        with pytest.raises(errors.LinkLost):
            await hold(spec(port, **kind), stages, None)

    assert stages.frames == []


async def test_text_that_is_no_utf8_is_left_to_the_decoder(kind):
    async def babble(link):
        await link.send(b"\xff\xfe", text=True)

    stages = Pages()
    async with exchange(babble) as port:
        with pytest.raises(errors.LinkLost):
            await hold(spec(port, **kind), stages, None)

    assert stages.frames == [b"\xff\xfe"]


async def test_without_room_nothing_is_read_and_that_is_no_silence(kind):
    messages = [str(number).ljust(20_000).encode() for number in range(50)]

    async def pour(link):
        for message in messages:
            await link.send(message)
        await link.wait_closed()

    stages = Pages(room=False)
    async with exchange(pour) as port:
        task = asyncio.create_task(hold(spec(port, silence_s=0.3, **kind), stages, None))
        async with asyncio.timeout(5):
            await stages.asked_for_room.wait()
        await asyncio.sleep(0.7)  # Longer than the silence that ends a link.
        # A raw link hands on what it had read already.
        assert stages.frames == messages[: len(stages.frames)]
        assert len(stages.frames) < (10 if kind["trusted"] else 2)
        stages.may_go_on.set()

        with pytest.raises(errors.LinkLost, match="silent"):
            await task

    assert stages.frames == messages


async def test_a_cancelled_receiver_closes_its_link(kind):
    closed = asyncio.Event()

    async def wait(link):
        await link.send("one")
        await link.wait_closed()
        closed.set()

    stages = Pages()
    async with exchange(wait) as port:
        task = asyncio.create_task(hold(spec(port, **kind), stages, None))
        async with asyncio.timeout(5):
            while not stages.frames:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        task.cancel()

        async with asyncio.timeout(5):
            await closed.wait()
        with pytest.raises(asyncio.CancelledError):
            await task
