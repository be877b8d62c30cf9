"""Free TCP ports on loopback."""

from __future__ import annotations

import errno
import socket

SPAN = 200


class PortTaken(Exception):
    """The port that was asked for belongs to another program."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is taken by another program; choose another with --port.")


def is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as e:
            if e.errno == errno.EADDRINUSE:
                return False
            raise
        # A listener with SO_REUSEADDR lets a second one bind; only listening tells.
        try:
            probe.listen(1)
        except OSError:
            return False
    return True


def exactly(host: str, port: int) -> int:
    """
    Return the port, or any free one for 0.

    Raises:
        PortTaken: Another program listens there.
    """
    if port == 0:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, 0))
            return int(probe.getsockname()[1])
    if not is_free(host, port):
        raise PortTaken(port)
    return port


class Picker:
    """Picks ports that are free and that it has not picked before."""

    def __init__(self) -> None:
        self._picked: set[int] = set()

    def near(self, preferred: int) -> int:
        """
        Return the first free port from `preferred` on.

        Raises:
            PortTaken: None of the next 200 is free.
        """
        for port in range(preferred, preferred + SPAN):
            if port not in self._picked and is_free("127.0.0.1", port):
                self.take(port)
                return port
        raise PortTaken(preferred)

    def take(self, port: int) -> None:
        self._picked.add(port)
