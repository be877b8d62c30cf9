from __future__ import annotations

import asyncio
import gzip
import json
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedOK

ROOT = Path(__file__).resolve().parents[2]
MS = 1_000_000


def frame(number, stream="btcusdt@trade"):
    # Blanks that a JSON writer would not put there: bytes must come through as they are.
    return b'{"stream":"%b" , "data":{"t": %d}}' % (stream.encode(), number)


def hftbacktest(path, count=20, step_ns=0, start_ns=10**18, stream="btcusdt@trade"):
    lines = [b"%d %b" % (start_ns + n * step_ns, frame(n, stream)) for n in range(count)]
    rest = b'%d {"lastUpdateId":1,"bids":[],"asks":[]}' % start_ns
    path.write_bytes(gzip.compress(b"\n".join([*lines[:3], rest, *lines[3:]]) + b"\n"))
    return path


def command(*arguments):
    return [sys.executable, "manage.py", "replay", *map(str, arguments)]


@asynccontextmanager
async def replay(*arguments):
    process = await asyncio.create_subprocess_exec(
        *command(*arguments, "--port", "0", "--json"), stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout
    try:
        async with asyncio.timeout(30):
            ready = json.loads(await process.stdout.readline())
        yield process, ready
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def everything(url):
    found = []
    async with asyncio.timeout(30), connect(url) as link:
        try:
            while True:
                found.append(await link.recv(decode=False))
        except ConnectionClosedOK:
            return found


async def refusal(*arguments):
    """Return the sentence with which the command refuses; it must be one, without traceback."""
    done = await asyncio.to_thread(
        subprocess.run,
        command("--port", "0", *arguments),
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 2, done
    assert done.stdout == ""
    (sentence,) = done.stderr.strip().splitlines()
    return sentence


async def test_every_frame_comes_byte_for_byte_and_once_ends_it(tmp_path):
    path = hftbacktest(tmp_path / "a.gz")

    async with replay(path, "--speed", "max", "--once") as (process, ready):
        found = await everything(ready["url"])
        report = json.loads(await process.stdout.readline())
        assert await process.wait() == 0

    assert found == [frame(n) for n in range(20)]
    assert ready["frames"] == report["frames"] == 20
    assert report["bytes"] == sum(map(len, found))


async def test_each_client_is_sent_all_of_it(tmp_path):
    path = hftbacktest(tmp_path / "a.gz")

    async with replay(path, "--speed", "max") as (_, ready):
        both = await asyncio.gather(everything(ready["url"]), everything(ready["url"]))

    assert list(both) == [[frame(n) for n in range(20)]] * 2


async def test_a_client_that_names_streams_is_sent_those(tmp_path):
    one = hftbacktest(tmp_path / "a.gz")
    other = hftbacktest(tmp_path / "b.gz", stream="ethusdt@trade")

    async with replay(one, other, "--speed", "max") as (_, ready):
        found = await everything(ready["url"] + "?streams=ethusdt@trade")

    assert found == [frame(n, "ethusdt@trade") for n in range(20)]


async def test_several_files_are_one_recording_in_the_order_of_its_times(tmp_path):
    late = hftbacktest(tmp_path / "a.gz", 3, 10, 10**18 + 5)
    early = hftbacktest(tmp_path / "b.gz", 3, 10, 10**18, stream="x@trade")

    async with replay(late, early, "--speed", "max") as (_, ready):
        found = await everything(ready["url"])

    assert found == [f for n in range(3) for f in (frame(n, "x@trade"), frame(n))]


@pytest.mark.parametrize(("speed", "at_least_s"), [("1", 0.8), ("4", 0.2)])
async def test_the_recorded_pace_is_kept(tmp_path, speed, at_least_s):
    path = hftbacktest(tmp_path / "a.gz", count=9, step_ns=100 * MS)

    async with replay(path, "--speed", speed, "--once") as (process, ready):
        began = time.monotonic()
        assert len(await everything(ready["url"])) == 9
        assert time.monotonic() - began >= at_least_s
        assert json.loads(await process.stdout.readline())["seconds"] < at_least_s * 2


async def test_a_client_that_leaves_early_has_not_received_everything(tmp_path):
    path = hftbacktest(tmp_path / "a.gz", count=9, step_ns=100 * MS)

    async with replay(path, "--once") as (process, ready):
        async with connect(ready["url"]) as link:
            await link.recv()
        assert len(await everything(ready["url"])) == 9

        assert await process.wait() == 0


async def test_the_other_form_is_served_too(tmp_path):
    path = tmp_path / "X.ws.1.0"
    path.write_bytes(b"wss://x/stream <-> 1.5\n1.5: %b\n\n1.6: %b\n" % (frame(1), frame(2)))

    async with replay(path) as (_, ready):
        assert await everything(ready["url"]) == [frame(1), frame(2)]


async def test_a_signal_ends_it_at_once(tmp_path):
    path = hftbacktest(tmp_path / "a.gz", count=9, step_ns=10_000 * MS)
    async with replay(path) as (process, ready), connect(ready["url"]) as link:
        await link.recv()
        began = time.monotonic()

        process.send_signal(signal.SIGTERM)

        assert await process.wait() == 0
        assert time.monotonic() - began < 3


async def test_a_truncated_gzip_is_refused_with_its_name(tmp_path):
    path = hftbacktest(tmp_path / "a.gz", count=5_000, step_ns=7)
    path.write_bytes(path.read_bytes()[:-20])

    assert f"{path}, after line" in await refusal(path)


async def test_a_gzip_with_a_flipped_bit_is_refused(tmp_path):
    path = hftbacktest(tmp_path / "a.gz", count=500, step_ns=7)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)

    assert str(path) in await refusal(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no frame"),
        (b"\n\n", "holds no frame"),
        (b"hello\n", "line 1"),
        (b"\x00\xff\xfe\n", "line 1"),
        (b"1 %b\n1 {\n" % frame(1), "line 2"),
        (b"1 %b\n%b\n" % (frame(1), frame(2)), "line 2"),
        (b"1.5: %b\n1 %b\n" % (frame(1), frame(2)), "line 2"),
        (b'1 {"lastUpdateId":1}\n', "holds no frame"),
        (b"1 %b\n1 {%b}\n" % (frame(1), b" " * 5_000_000), "longer than"),
    ],
)
async def test_a_bad_file_is_refused_before_anything_is_served(tmp_path, content, says):
    path = tmp_path / "bad"
    path.write_bytes(content)
    good = hftbacktest(tmp_path / "good.gz")

    sentence = await refusal(good, path)

    assert str(path) in sentence
    assert says in sentence


async def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "No such file" in await refusal(tmp_path / "nothing")


async def test_a_folder_is_refused(tmp_path):
    assert str(tmp_path) in await refusal(tmp_path)


async def test_a_taken_port_is_refused(tmp_path):
    path = hftbacktest(tmp_path / "a.gz")
    async with await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0) as taken:
        port = taken.sockets[0].getsockname()[1]

        assert "address already in use" in await refusal(path, "--port", port)


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf", "fast"])
async def test_a_speed_that_is_none_is_refused(tmp_path, speed):
    done = await asyncio.to_thread(
        subprocess.run,
        command(hftbacktest(tmp_path / "a.gz"), f"--speed={speed}"),
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert "is no speed" in done.stderr
    assert "Traceback" not in done.stderr
