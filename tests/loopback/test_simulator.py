from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pipeline.core.simulate.instrument import SPOT

STREAMS = [
    f"{instrument.symbol.lower()}@{channel}"
    for instrument in SPOT
    for channel in ("trade", "bookTicker", "depth@100ms")
]
ROOT = Path(__file__).resolve().parents[2]


def connect(url):
    # A client that stops reading in mid-stream never sees the answer to its close.
    return open_websocket(url, close_timeout=0.5)


@asynccontextmanager
async def simulator(*flags):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pipeline.simulate", "--port", "0", *flags,
        stdout=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout
    try:
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
        yield process, f"{line.split()[-1]}/stream?streams={'/'.join(STREAMS)}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def base(url):
    return url.partition("/stream")[0]


async def frames(url, count):
    async with asyncio.timeout(20), connect(url) as link:
        return [json.loads(await link.recv()) for _ in range(count)]


async def test_its_own_url_names_every_stream_and_all_of_them_speak():
    async with simulator() as (_, url):
        found = await frames(url, 300)

    assert {frame["stream"] for frame in found} == set(STREAMS)


async def test_sequences_hold_over_the_wire():
    async with simulator() as (_, url):
        found = await frames(url, 400)

    numbers = defaultdict(list)
    for frame in found:
        numbers[frame["stream"]].append(frame["data"])
    for stream, data in numbers.items():
        if stream.endswith("@trade"):
            assert all(b["t"] == a["t"] + 1 for a, b in pairwise(data))
        elif stream.endswith("@bookTicker"):
            assert all(b["u"] > a["u"] for a, b in pairwise(data))
        else:
            assert all(b["U"] == a["u"] + 1 for a, b in pairwise(data))


async def test_only_what_was_asked_for_is_sent():
    async with simulator() as (_, url):
        found = await frames(f"{base(url)}/stream?streams=btcusdt@trade/ethusdt@trade", 20)

    assert {frame["stream"] for frame in found} == {"btcusdt@trade", "ethusdt@trade"}


async def test_a_plain_stream_sends_data_alone():
    async with simulator() as (_, url):
        (found,) = await frames(f"{base(url)}/ws/btcusdt@trade", 1)

    assert (found["e"], found["s"]) == ("trade", "BTCUSDT")


async def test_streams_are_subscribed_and_unsubscribed_while_listening():
    async with simulator() as (_, url), connect(f"{base(url)}/stream") as link:

        async def ask(method, params=None):
            await link.send(json.dumps({"method": method, "params": params or [], "id": 7}))
            async with asyncio.timeout(10):
                while "id" not in (reply := json.loads(await link.recv())):
                    pass
            return reply["result"]

        assert await ask("LIST_SUBSCRIPTIONS") == []
        assert await ask("SUBSCRIBE", ["btcusdt@trade"]) is None
        async with asyncio.timeout(10):
            assert json.loads(await link.recv())["stream"] == "btcusdt@trade"
        assert await ask("UNSUBSCRIBE", ["btcusdt@trade"]) is None
        assert await ask("LIST_SUBSCRIPTIONS") == []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await link.recv()


async def test_numbers_are_never_used_again_after_a_restart():
    async def first_and_last():
        async with simulator("--seed", "1") as (_, url):
            found = await frames(f"{base(url)}/stream?streams=btcusdt@trade", 5)
        return found[0]["data"]["t"], found[-1]["data"]["t"]

    _, last = await first_and_last()
    first, _ = await first_and_last()

    assert first > last


async def test_another_path_is_not_found():
    async with simulator() as (_, url):
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"{base(url)}/nothing")

    assert caught.value.response.status_code == 404


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_at_once_with_clients_connected(number):
    async with simulator() as (process, url), connect(url) as link:
        await link.recv()
        began = time.monotonic()

        process.send_signal(number)

        assert await process.wait() == 0
        assert time.monotonic() - began < 2
        with pytest.raises(ConnectionClosed):
            while True:
                await link.recv()


async def test_a_client_that_hangs_does_not_delay_the_end():
    async with simulator() as (process, url):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(base(url).split(":")[-1]))
        writer.write(
            b"GET /stream?streams=btcusdt@trade HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Version: 13\r\n\r\n"
        )
        async with asyncio.timeout(10):
            assert b"101" in await reader.readuntil(b"\r\n\r\n")
        began = time.monotonic()

        process.send_signal(signal.SIGTERM)  # It will be asked to close, and never answers.

        assert await process.wait() == 0
        assert time.monotonic() - began < 3
        writer.close()


async def test_a_taken_port_is_one_sentence_and_code_two():
    async with await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0) as taken:
        port = taken.sockets[0].getsockname()[1]
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "pipeline.simulate", "--port", str(port)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [
        f"The exchange simulator cannot listen on 127.0.0.1:{port}: address already in use."
    ]
