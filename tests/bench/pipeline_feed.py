"""
An exchange that says what it was told to say, as fast as it can or at a steady pace.

A process of its own, `python -m tests.bench.pipeline_feed`, so that what it costs is not taken for
the worker's. Lines of JSON, orders on stdin and answers on stdout:

    {"links": 30, "frames": 600000, "per_s": 0, "evenly": false}
                                                   what to prepare; per_s 0 is full speed
    {"port": 18001}                                ready: links may come
    {"linked": 30, "snapshots": 30}                whenever one of them changed
    "go"                                           send
    {"sent": 600000, "took_s": 3.1}                done; links stay open until stdin ends

Real sockets and a real WebSocket handshake; the frames are made beforehand. Each link first sends
the few frames with which a book can begin, and the rest after "go".

At a steady pace each link keeps the rhythm of the recording, so much faster, and out of step with
the others; what was received within some microseconds is written at once, as it had been then.
`evenly`, each frame is written alone, to one link after the other: the dearest way to hear it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import selectors
import socket
import sys
import time
from urllib.parse import parse_qs, urlsplit

from tests.bench import pipeline_frames as source

CHUNK = 256 * 1024
PAUSE_S = 0.0001
# What came so soon after the frame before came with it.
AT_ONCE_S = 0.00001
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Link:
    """One connection of the worker, for a WebSocket or for REST calls."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self.heard = b""
        self.unsent = memoryview(b"")
        self.later: list[bytes] = []


class Feed:
    def __init__(self, links: int, frames: int, per_s: int, *, evenly: bool = False) -> None:
        self._mix = source.recorded()
        self._per_s = per_s
        self._evenly = evenly
        each = frames // links
        self._said = {
            source.symbol(number): [
                _framed(frame) for frame in source.frames_of(self._mix, source.symbol(number), each)
            ]
            for number in range(links)
        }
        self.total = sum(map(len, self._said.values()))
        self._selector = selectors.DefaultSelector()
        self._port = 0
        for host in sorted({source.address(number) for number in range(links)}):
            listener = socket.create_server((host, self._port), backlog=512)
            listener.setblocking(False)
            self._port = listener.getsockname()[1]
            self._selector.register(listener, selectors.EVENT_READ, listener)
        self._selector.register(sys.stdin, selectors.EVENT_READ, "order")
        self._links: list[Link] = []
        self._snapshots = 0
        self._going = self._ended = False

    def run(self) -> None:
        _say({"port": self._port})
        while not self._going and not self._ended:
            self._turn(None)
        began = time.perf_counter()
        if self._per_s:
            self._send_steadily()
        else:
            self._send_all()
        _say({"sent": self.total, "took_s": time.perf_counter() - began})
        while not self._ended:
            self._turn(None)

    def _turn(self, within_s: float | None) -> None:
        for key, events in self._selector.select(within_s):
            if isinstance(key.data, Link):
                self._serve(key.data, events)
            elif key.data == "order":
                order = sys.stdin.readline()
                self._going, self._ended = self._going or bool(order), not order
            else:
                link = Link(key.data.accept()[0])
                self._selector.register(link.socket, selectors.EVENT_READ, link)

    def _serve(self, link: Link, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._write(link)
        if not events & selectors.EVENT_READ:
            return
        try:
            heard = link.socket.recv(65_536)
        except OSError:
            heard = b""
        if not heard or link in self._links:
            # A WebSocket of the worker says nothing but farewell.
            self._selector.unregister(link.socket)
            link.socket.close()
            return
        link.heard += heard
        while b"\r\n\r\n" in link.heard:
            request, _, link.heard = link.heard.partition(b"\r\n\r\n")
            self._answer(link, request)

    def _answer(self, link: Link, request: bytes) -> None:
        lines = request.split(b"\r\n")
        parts = urlsplit(lines[0].split(b" ")[1].decode())
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in lines[1:])
        }
        if key := headers.get(b"sec-websocket-key"):
            accept = base64.b64encode(hashlib.sha1(key + GUID).digest())  # noqa: S324 - RFC 6455
            frames = self._said[parse_qs(parts.query)["streams"][0].split("@")[0].upper()]
            link.later = frames[source.OPENING :]
            self._links.append(link)
            link.unsent = memoryview(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n%b"
                % (accept, b"".join(frames[: source.OPENING]))
            )
        elif parts.path.endswith("/depth"):
            self._snapshots += 1
            link.unsent = memoryview(_body(self._mix.snapshot))
        else:
            link.unsent = memoryview(_body(b"{}"))
        self._write(link)
        _say({"linked": len(self._links), "snapshots": self._snapshots})

    def _write(self, link: Link) -> None:
        try:
            while link.unsent:
                link.unsent = link.unsent[link.socket.send(link.unsent[:CHUNK]) :]
        except BlockingIOError:
            self._selector.modify(link.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, link)
        else:
            self._selector.modify(link.socket, selectors.EVENT_READ, link)

    def _send_all(self) -> None:
        for link in self._links:
            link.unsent = memoryview(b"".join(link.later))
        for link in self._links:
            self._write(link)
        while any(link.unsent for link in self._links):
            self._turn(None)

    def _send_steadily(self) -> None:
        plan = self._even_plan() if self._evenly else self._recorded_plan()
        began = time.perf_counter()
        for due_s, number, data in plan:
            while time.perf_counter() - began < due_s:
                time.sleep(PAUSE_S)
            self._links[number].socket.send(data)

    def _even_plan(self) -> list[tuple[float, int, bytes]]:
        """Return (due, link, bytes): one after the other, as they come round."""
        turns = zip(*[link.later for link in self._links], strict=True)
        pairs = [(number, frame) for turn in turns for number, frame in enumerate(turn)]
        return [(index / self._per_s, *pair) for index, pair in enumerate(pairs)]

    def _recorded_plan(self) -> list[tuple[float, int, bytes]]:
        lasts_s = sum(len(link.later) for link in self._links) / self._per_s
        plan: list[tuple[float, int, bytes]] = []
        for number, link in enumerate(self._links):
            times_s = source.rhythm(self._mix, number, len(link.later), lasts_s)
            at_once: list[bytes] = []
            began_s = last_s = times_s[0]
            for due_s, frame in zip(times_s, link.later, strict=True):
                if at_once and due_s - last_s > AT_ONCE_S:
                    plan.append((began_s, number, b"".join(at_once)))
                    at_once, began_s = [], due_s
                at_once.append(frame)
                last_s = due_s
            plan.append((began_s, number, b"".join(at_once)))
        return sorted(plan)


def _framed(text: bytes) -> bytes:
    """Return an unmasked text frame."""
    size = len(text)
    if size < 126:
        return b"\x81%c%b" % (size, text)
    return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), text)


def _body(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    Feed(**json.loads(sys.stdin.readline())).run()
