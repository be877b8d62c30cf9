from __future__ import annotations

import socket
import threading

import pytest

from streams.broker.server import monitor
from streams.core.errors import BrokerAway
from tests.servers.process import free_port


@pytest.fixture
def answered():
    """Serve one answer to one request; return the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def serve(answer):
        def once():
            link, _ = listener.accept()
            with link:
                link.recv(65_536)
                link.sendall(answer)

        threads.append(threading.Thread(target=once))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for thread in threads:
        thread.join(10)
    listener.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n"


def test_a_proxy_of_the_operators_is_not_asked_for_loopback(answered, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)

    assert monitor(answered(OK + b'{"status":"ok"}'), "/healthz") == {"status": "ok"}


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
        OK + b'{"status"',
        OK + b"not json at al.",
        OK + b'["an array   "]',
    ],
)
def test_whatever_else_answers_there_is_our_error(answered, answer):
    with pytest.raises(BrokerAway):
        monitor(answered(answer), "/healthz")
