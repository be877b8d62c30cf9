"""
What hostile peers do, and what becomes of the link.

Each attack is done to a link that checks the protocol and to one that trusts its peer.
"""

from __future__ import annotations

import itertools
from functools import partial
from typing import NamedTuple

from tests.loopback.hostile import (
    BINARY,
    CLOSE,
    MB,
    PING,
    PONG,
    Deed,
    answers,
    bomb,
    frame,
    says,
    trade,
)

GOOD = frame(trade(1))
SILENT = r"silent for"


class Attack(NamedTuple):
    """
    Attributes:
        ends: What the last error of the source says then; empty where the link goes on.
        trusted: The same of a link that trusts its peer, where it is another.
        counts: Frames that cannot be decoded, by reason, where the link goes on; then a good trade
            is published. trusted_counts: The same, where it is another.
        silence_s: Of the source.
    """

    deed: Deed
    ends: str = ""
    trusted: str | None = None
    counts: dict[str, int] = {}
    trusted_counts: dict[str, int] | None = None
    silence_s: float = 30.0


async def _drips(link):
    await link.accept()
    for byte in itertools.cycle(frame(b"x" * 60_000)):
        await link.send(bytes([byte]))
        await link.pause(0.05)


async def _breaks_to_pieces(link, payload):
    await link.accept()
    await link.send(frame(payload, fin=False))
    piece = frame(payload, 0, fin=False)
    pieces = piece * max(1, 100_000 // len(piece))
    while True:
        await link.send(pieces)


async def _sends_all_of_it(link):
    await link.accept()
    await link.send(frame(size=64 * MB), *[b"x" * MB] * 64)
    await link.gone()


async def _pings_and_reads_nothing(link):
    await link.accept()
    while True:
        await link.send(frame(b"p" * 125, PING) * 500)


async def _says_it_back(link):
    """What was said to it holds the login."""
    await link.send(link.request)
    await link.gone()


async def _answers_with_the_login(link):
    login = next(line for line in link.request.split(b"\r\n") if b"uthorization" in line)
    await link.send(b"HTTP/1.1 " + login.replace(b":", b"") + b"\r\n\r\n")
    await link.gone()


async def _compresses_unasked(link):
    await link.accept(b"Sec-WebSocket-Extensions: permessage-deflate")
    await link.send(frame(bomb(), rsv1=True))
    await link.gone()


_NO_PROOF = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

HANDSHAKES = {
    "garbage": Attack(answers(b"\x00\xff garbage \r\n\r\n"), "invalid HTTP status line"),
    "garbage without end": Attack(answers(b"\xff" * 1_000), "no connection within"),
    "nothing": Attack(answers(), "no connection within"),
    "a header of 64 MB": Attack(
        answers(b"HTTP/1.1 101 Switching\r\nX: ", *[b"y" * MB] * 64), "exceed"
    ),
    "headers without end": Attack(
        answers(b"HTTP/1.1 101 Switching\r\n", *[b"X-A: b\r\n" * 10_000] * 500), "exceed"
    ),
    "no header": Attack(
        answers(b"HTTP/1.1 101 Switching\r\nX\xff\x00: \xfe\r\n: x\r\n\r\n"), "header name$"
    ),
    "a status of 5,000 digits": Attack(
        answers(b"HTTP/1.1 " + b"9" * 5_000 + b" SP\r\n\r\n"), "invalid HTTP status line"
    ),
    "no proof": Attack(answers(_NO_PROOF + b"\r\n"), "sec-websocket-accept"),
    "a wrong proof": Attack(
        answers(_NO_PROOF + b"Sec-WebSocket-Accept: x\r\n\r\n"), "sec-websocket-accept"
    ),
    "a body without end": Attack(
        answers(b"HTTP/1.1 500 Oops\r\n\r\n", *[b"x" * MB] * 64), "answered with 500"
    ),
    "a body of a terabyte": Attack(
        answers(b"HTTP/1.1 500 Oops\r\nContent-Length: 999999999999\r\n\r\n"),
        "answered with 500|no connection within",
    ),
    "damaged chunks": Attack(
        answers(b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        "answered with 500",
    ),
    "elsewhere": Attack(
        answers(b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\n\r\n"),
        "answered with 302",
    ),
    "our own words": Attack(_says_it_back, "unknown protocol"),
    "our own login": Attack(_answers_with_the_login, "invalid HTTP status line"),
    "compression unasked": Attack(_compresses_unasked, "insists on an extension"),
}

FRAMES = {
    "bad UTF-8": Attack(
        says(frame(b'{"stream":"x@trade","data":{"e":"\xff"}}'), GOOD), counts={"text": 1}
    ),
    "64 MB declared": Attack(says(frame(b"x" * 1_000, size=64 * MB)), "67108864 > 1048576"),
    "2**63 bytes declared": Attack(says(frame(b"x", size=2**63)), "invalid 64-bit"),
    "64 MB": Attack(_sends_all_of_it, "67108864 > 1048576"),
    "large fragments without end": Attack(
        partial(_breaks_to_pieces, payload=b"x" * 100_000), "message too big"
    ),
    "tiny fragments without end": Attack(
        partial(_breaks_to_pieces, payload=b"x"), "too many fragments"
    ),
    "empty fragments without end": Attack(
        partial(_breaks_to_pieces, payload=b""), "too many fragments"
    ),
    "a deflate bomb": Attack(
        says(frame(bomb(), rsv1=True), GOOD),
        "without negotiated permessage-deflate",
        trusted="",
        trusted_counts={"json": 1},
    ),
    "half a frame": Attack(says(b"\x81\x7e\x10"), SILENT, silence_s=0.7),
    "a slow drip": Attack(_drips, SILENT, silence_s=0.7),
    "a masked frame": Attack(says(frame(b"x", mask=b"abcd")), "masked frame"),
    "a reserved opcode": Attack(says(frame(b"x", 3)), "invalid opcode"),
    "a reserved control opcode": Attack(says(frame(b"x", 11)), "invalid opcode"),
    "pings without end": Attack(_pings_and_reads_nothing, SILENT, silence_s=0.7),
    "pongs without end": Attack(
        says(frame(b"p" * 125, PONG) * 500, again=True), SILENT, silence_s=0.7
    ),
    "a large ping": Attack(says(frame(b"p" * 200, PING)), "payload size > 125"),
    "a ping in pieces": Attack(says(frame(b"p", PING, fin=False)), "fragmented control"),
    "a close of one byte": Attack(says(frame(b"\x03", CLOSE)), "invalid close code"),
    "a close with a code that is none": Attack(
        says(frame(b"\x03\xe7bye", CLOSE)), "invalid close code"
    ),
    "a close with bad UTF-8": Attack(
        says(frame(b"\x03\xe8\xff\xfe", CLOSE)), "invalid UTF-8", trusted="closed"
    ),
    "a close with a line of its own": Attack(
        says(frame(b"\x03\xe8ok\nCRITICAL all is lost\x1b[31m", CLOSE)),
        r"ok CRITICAL all is lost \[31m",
        trusted="closed",
    ),
    "a piece of nothing": Attack(
        says(frame(b"x", 0)), "unexpected continuation", trusted="fragments in no order"
    ),
    "a message within a message": Attack(
        says(frame(b"x", fin=False), frame(b"y")),
        "expected continuation",
        trusted="fragments in no order",
    ),
    "no text": Attack(says(frame(trade(1), BINARY))),
    "nothing at all": Attack(says(*[frame()] * 10, GOOD), counts={"json": 10}),
}
