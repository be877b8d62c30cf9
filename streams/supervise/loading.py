"""A configuration into a server that runs, without a restart."""

from __future__ import annotations

import logging
import signal
import time
from urllib.parse import quote

from streams.broker import server, system
from streams.core.errors import ApiRefused, BrokerAway
from streams.core.serverconf import SYSTEM_USER, NodeConfiguration
from streams.supervise.checking import ConfigurationRefused
from streams.supervise.folder import Folder
from streams.supervise.process import Process
from streams.supervise.words import Words

logger = logging.getLogger(__name__)

LOADED_S = 3.0
LOOK_S = 0.02


class Loader:
    def __init__(
        self, folder: Folder, words: Words, process: Process, *, system_password: str
    ) -> None:
        self._folder = folder
        self._words = words
        self._process = process
        self._system_password = system_password

    def load(self, c: NodeConfiguration, digest: str, *, running: NodeConfiguration) -> None:
        """
        Let the running server load this; return when it has.

        Args:
            digest: The server's own, of this.

        Raises:
            ConfigurationRefused: It runs on as it was, and its file is as it was.
        """
        before = self._folder.text()
        self._folder.place(c)
        try:
            self._reload(c, digest, running)
        except ConfigurationRefused:
            if before is not None:
                self._folder.place(running, before)
            raise
        logger.info("nats-server %s: configuration loaded", c.name)

    def _reload(self, c: NodeConfiguration, digest: str, running: NodeConfiguration) -> None:
        offset = self._words.length(c)
        # The digest alone does not tell: a certificate that was replaced does not change it.
        _, loaded_at = _loaded(running)
        if not self._is_asked_to_load(running, c):
            self._process.signal(signal.SIGHUP)
        deadline = time.monotonic() + LOADED_S
        while (now := _loaded(running))[0] != digest or now[1] == loaded_at:
            if time.monotonic() > deadline:
                why = self._words.last_error(c, offset) or "the server did not load it"
                raise ConfigurationRefused(why)
            time.sleep(LOOK_S)

    def _is_asked_to_load(self, running: NodeConfiguration, c: NodeConfiguration) -> bool:
        """
        Return whether the server could be asked, so that it says itself why it refuses.

        Raises:
            ConfigurationRefused: It does.
        """
        # We have no certificate to show, and know today's password only.
        if running.tls is not None or running.system_hash != c.system_hash:
            return False
        try:
            varz = server.monitor(running.monitor_url, "/varz")
            url = _client_url(running, self._system_password)
            system.called(url, lambda client: system.reload(client, varz["server_id"]))
        except ApiRefused as e:
            raise ConfigurationRefused(self._words.told(e.description)) from e
        except BrokerAway:
            return False
        return True


def _loaded(running: NodeConfiguration) -> tuple[str, str]:
    """Return the digest of what the server has loaded, and when it did."""
    try:
        varz = server.monitor(running.monitor_url, "/varz")
    except BrokerAway:
        return "", ""
    return str(varz.get("config_digest", "")), str(varz.get("config_load_time", ""))


def _client_url(c: NodeConfiguration, password: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(c.host, c.host)  # noqa: S104
    host = f"[{host}]" if ":" in host else host
    return f"nats://{SYSTEM_USER}:{quote(password, safe='')}@{host}:{c.port}"
