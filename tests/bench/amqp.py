"""AMQP with next to nothing in between: frames made beforehand, written to a socket as they are."""

from __future__ import annotations

import socket
import struct

import pika
from pika import amqp_object, frame, spec

CHANNEL = 1
# A confirm is a frame of this length: seven bytes of head, twelve of method, two of flag and end.
CONFIRM = struct.Struct(">BHIIQBB")
ACK = 60 << 16 | 80
HANDSHAKE_S = 10.0


class Confirms:
    """How many publishes are confirmed, whatever the order and the form of the confirms."""

    def __init__(self) -> None:
        self._up_to = 0
        self._beyond: set[int] = set()

    @property
    def count(self) -> int:
        return self._up_to + len(self._beyond)

    def take(self, tag: int, *, multiple: bool) -> None:
        if multiple and tag > self._up_to:
            self._up_to = tag
            self._beyond = {each for each in self._beyond if each > tag}
        elif not multiple:
            self._beyond.add(tag)
        while self._up_to + 1 in self._beyond:
            self._up_to += 1
            self._beyond.remove(self._up_to)


class RawPublisher:
    """One channel that confirms. Publishes what `encoded` returned, again and again."""

    def __init__(self, url: str) -> None:
        at = pika.URLParameters(url)
        login = at.credentials
        assert isinstance(login, pika.PlainCredentials)
        self._buffer = b""
        self._sent = 0
        self._confirms = Confirms()
        self._socket = socket.create_connection((at.host, at.port), timeout=HANDSHAKE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(frame.ProtocolHeader().marshal())
        self._expect(0, spec.Connection.Start)
        answer = f"\0{login.username}\0{login.password}"
        self._send(0, spec.Connection.StartOk({}, "PLAIN", answer, "en_US"))
        self._expect(0, spec.Connection.Tune)
        self._send(0, spec.Connection.TuneOk(channel_max=8, frame_max=131072, heartbeat=0))
        self._send(0, spec.Connection.Open(at.virtual_host))
        self._expect(0, spec.Connection.OpenOk)
        self._send(CHANNEL, spec.Channel.Open())
        self._expect(CHANNEL, spec.Channel.OpenOk)
        self._send(CHANNEL, spec.Confirm.Select())
        self._expect(CHANNEL, spec.Confirm.SelectOk)

    def publish(self, one: bytes, count: int, *, window: int, per_write: int) -> None:
        """
        Return once `count` publishes of `one` are confirmed.

        Args:
            window: At most so many are without a confirm.
            per_write: So many are written at a time; `count` is a multiple of it.
        """
        many = one * per_write
        first = self._sent
        while self._sent < first + count:
            while self._sent + per_write - self._confirms.count > window:
                self._read_confirms()
            self._socket.sendall(many)
            self._sent += per_write
        while self._confirms.count < self._sent:
            self._read_confirms()

    def close(self) -> None:
        self._socket.close()

    def _read_confirms(self) -> None:
        data = self._buffer + self._socket.recv(1 << 16)
        whole = len(data) // CONFIRM.size * CONFIRM.size
        for _, _, _, method, tag, multiple, _ in CONFIRM.iter_unpack(data[:whole]):
            assert method == ACK, "the broker refused a message"
            self._confirms.take(tag, multiple=bool(multiple))
        self._buffer = data[whole:]

    def _send(self, channel: int, method: amqp_object.Method) -> None:
        self._socket.sendall(frame.Method(channel, method).marshal())

    def _expect(self, channel: int, kind: type) -> None:
        while True:
            consumed, found = frame.decode_frame(self._buffer)
            if found is None:
                self._buffer += self._socket.recv(1 << 16)
                continue
            self._buffer = self._buffer[consumed:]
            assert isinstance(found, frame.Method), found
            assert isinstance(found.method, kind), found
            return


def encoded(queue: str, body: bytes, properties: pika.BasicProperties) -> bytes:
    """Return one mandatory publish to a queue, as it goes over the wire."""
    method = spec.Basic.Publish(exchange="", routing_key=queue, mandatory=True)
    return b"".join(
        [
            frame.Method(CHANNEL, method).marshal(),
            frame.Header(CHANNEL, len(body), properties).marshal(),
            frame.Body(CHANNEL, body).marshal(),
        ]
    )
