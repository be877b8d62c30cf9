"""
An exchange that waits for nobody, as `python -m tests.integration.pipeline.pouring`.

Over each of its links one symbol of its own: trades and tickers in turn, numbered from 1, at a
steady pace whatever becomes of them. A process of its own, so that the one that checks what is
stored does not slow it down. Lines of JSON, orders on stdin and answers on stdout:

    {"links": 10, "per_s": 10000, "frames": 200000}     what to say, over all links together
    {"url": "ws://127.0.0.1:18001"}                     ready: links may come, /ws/<symbol>
    {"sent": 10000, "unsent_kb": 0.0}                   now and then, once all links are there
    {"done": 200000, "most_unsent_kb": 12.5}            all is sent; links stay until stdin ends

`unsent_kb`: what was written and found no place in the sockets: somebody does not read.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from websockets.asyncio.server import ServerConnection, serve

from tests.loopback.hostile import frame

TICK_S = 0.005
TELL_S = 0.1


class Pouring:
    def __init__(self, links: int, per_s: int, frames: int) -> None:
        self._per_s = per_s
        self._each = frames // links
        self._symbols = [f"S{number}USDT" for number in range(links)]
        self._frames = {
            symbol: [_frame(symbol, 1 + number) for number in range(self._each)]
            for symbol in self._symbols
        }
        self._links: dict[str, asyncio.WriteTransport] = {}
        self._all = asyncio.Event()
        self._end = asyncio.Event()
        self._most_unsent = 0

    async def run(self, orders: asyncio.StreamReader) -> None:
        async with serve(
            self._talk, "127.0.0.1", 0, compression=None, ping_interval=None
        ) as server:
            _say(url=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            await self._all.wait()
            await self._pour()
            while await orders.read(1024):
                pass
            self._end.set()
            server.close()

    async def _talk(self, link: ServerConnection) -> None:
        assert link.request
        symbol = link.request.path.rpartition("/")[2].partition("@")[0].upper()
        assert symbol not in self._links, "nobody should have to come again"
        self._links[symbol] = link.transport
        if len(self._links) == len(self._symbols):
            self._all.set()
        await self._end.wait()

    async def _pour(self) -> None:
        began_s, sent, told_s = time.perf_counter(), 0, 0.0
        while sent < self._each:
            passed_s = time.perf_counter() - began_s
            due = min(int(passed_s * self._per_s / len(self._symbols)), self._each)
            for symbol, transport in self._links.items():
                transport.write(b"".join(self._frames[symbol][sent:due]))
            sent = due
            unsent = sum(link.get_write_buffer_size() for link in self._links.values())
            self._most_unsent = max(self._most_unsent, unsent)
            if passed_s >= told_s:
                told_s = passed_s + TELL_S
                _say(sent=sent * len(self._symbols), unsent_kb=unsent / 1024)
            await asyncio.sleep(TICK_S)
        _say(done=sent * len(self._symbols), most_unsent_kb=self._most_unsent / 1024)


def _frame(symbol: str, number: int) -> bytes:
    """Return one frame of a link: trades and tickers in turn, each numbered one by one."""
    half = (number + 1) // 2
    stream, data = (
        (f"{symbol.lower()}@trade", _trade(symbol, half))
        if number % 2
        else (f"{symbol.lower()}@bookTicker", _ticker(symbol, half))
    )
    text = json.dumps({"stream": stream, "data": data}, separators=(",", ":")).encode()
    return frame(text)


def _trade(symbol: str, number: int) -> dict[str, object]:
    return {
        "e": "trade", "E": 1672515782136 + number, "s": symbol, "t": number, "p": "61840.01",
        "q": "0.00412", "T": 1672515782136 + number, "m": True, "M": True,
    }  # fmt: skip


def _ticker(symbol: str, number: int) -> dict[str, object]:
    return {
        "u": number, "s": symbol, "b": "61840.00", "B": "31.21000", "a": "61840.01", "A": "4.06600",
    }  # fmt: skip


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201 - the answer


async def main() -> None:
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    await Pouring(**json.loads(await orders.readline())).run(orders)


if __name__ == "__main__":
    asyncio.run(main())
