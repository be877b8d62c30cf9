"""Brings a node's rows and its supervisor together."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import db

from streams.services import servers
from streams.services.servers import Orders
from streams.supervise import Standing, Supervisor, check_file

logger = logging.getLogger(__name__)

# A row that says nothing new is written so often, to show that somebody looks.
SEEN_EVERY = timedelta(seconds=5)


class NodeKeeper:
    """
    One node: what its rows want is done, how its server is becomes part of its row.

    Args:
        fixed, environment, ends_with_us: See `Supervisor`.

    Raises:
        AlreadySupervised, BrokerAway, OSError: See `Supervisor`.
    """

    def __init__(
        self,
        *,
        name: str,
        environment: Mapping[str, str],
        fixed: Mapping[str, Any] | None = None,
        ends_with_us: bool = False,
    ) -> None:
        self._name = name
        self._fixed = dict(fixed or {})
        self._orders: Orders | None = None
        self._written: tuple[Standing, int] | None = None
        self._written_at: datetime | None = None
        self._is_blind = False
        # The number of the last restart that was asked of the supervisor.
        self._restarted: int | None = None
        check_file(servers.log_file(name=name))
        self.supervisor = Supervisor(
            folder=servers.runtime_folder(name=name),
            system_password=servers.system_password(),
            environment=environment,
            fixed=self._fixed,
            ends_with_us=ends_with_us,
        )

    def look(self, *, now: datetime) -> Standing:
        """
        Do what is to be done now; return how the server is.

        A database that is away changes nothing: the server is kept as the rows were last.
        """
        self._read()
        if self._orders is None:
            return self.supervisor.watch(None)
        standing = self._obey(self._orders)
        self._write(standing, self._orders.restart[0], now)
        return standing

    def stop(self, *, now: datetime) -> None:
        """End the server, and say so in its row."""
        self.supervisor.stop()
        self.supervisor.close()
        if self._orders is not None:
            self._write(Standing(), self._orders.restart[0], now)

    def _obey(self, orders: Orders) -> Standing:
        if not orders.enabled:
            self.supervisor.take_over()
            self.supervisor.stop()
            return Standing()
        if not orders.starts:
            return self.supervisor.watch(orders.configuration)
        wanted, done = orders.restart
        # A database that can be read and not written says for long that it was not done.
        restart, self._restarted = wanted not in (done, self._restarted), wanted
        return self.supervisor.look(orders.configuration, why_not=orders.why_not, restart=restart)

    def _read(self) -> None:
        try:
            found = servers.orders(name=self._name, fixed=self._fixed)
        except db.Error as e:
            self._note_blindness(e)
            return
        self._is_blind = False
        if found is None and self._orders is not None:
            logger.warning("node %s is not declared any more; its server runs on", self._name)
        self._orders = found

    def _write(self, standing: Standing, restart_done: int, now: datetime) -> None:
        fresh = self._written_at is not None and now - self._written_at < SEEN_EVERY
        if fresh and self._written == (standing, restart_done):
            return
        try:
            servers.note_standing(
                name=self._name, standing=standing, restart_done=restart_done, now=now
            )
        except db.Error as e:
            self._note_blindness(e)
            return
        self._written, self._written_at = (standing, restart_done), now

    def _note_blindness(self, e: db.Error) -> None:
        if not self._is_blind:  # Each second again; said once.
            logger.warning("node %s: the database cannot be used: %s", self._name, e)
        self._is_blind = True
        db.close_old_connections()
