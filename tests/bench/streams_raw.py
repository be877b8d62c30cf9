"""A bare socket to NATS: messages made beforehand, acknowledgements counted and not read."""

from __future__ import annotations

import socket
import threading
from urllib.parse import urlsplit

WITHIN_S = 60.0


class RawPublisher:
    """The least that a client can do and still wait for the acknowledgement of each message."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=WITHIN_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.recv(65_536)
        self._socket.sendall(
            b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB r 1\r\nPING\r\n'
        )
        assert b"PONG" in self._socket.recv(65_536)

    def publish(self, blobs: list[bytes], per_blob: int, window: int) -> None:
        """Write messages whose reply is `r`, and return when each was answered."""
        lines = 0
        answered = threading.Condition()

        def count() -> None:
            # An answer is two lines and holds no other: nothing else comes on this connection
            # but a PING every two minutes.
            nonlocal lines
            while lines < 2 * per_blob * len(blobs):
                found = self._socket.recv(1 << 18).count(b"\n")
                with answered:
                    lines += found
                    answered.notify()

        reader = threading.Thread(target=count, daemon=True)
        reader.start()
        for number, blob in enumerate(blobs):
            with answered:
                while (number + 1) * per_blob - lines // 2 > window:
                    assert answered.wait(WITHIN_S), "no acknowledgement came"
            self._socket.sendall(blob)
        reader.join(WITHIN_S)

    def close(self) -> None:
        self._socket.close()


def encoded(subject: str, payload: bytes, msg_id: str | None) -> bytes:
    if msg_id is None:
        return b"PUB %b r %d\r\n%b\r\n" % (subject.encode(), len(payload), payload)
    header = b"NATS/1.0\r\nNats-Msg-Id: %b\r\n\r\n" % msg_id.encode()
    return b"HPUB %b r %d %d\r\n%b%b\r\n" % (
        subject.encode(), len(header), len(header) + len(payload), header, payload,
    )  # fmt: skip
