"""The consumer at the server: the one that is there, a new one, or one that is made again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from nats.aio.client import Client

from streams.broker import jetstream
from streams.broker.held import Held
from streams.broker.jetstream import JsonObject
from streams.broker.stopping import Stop
from streams.core.agreement import Agreement
from streams.core.errors import ApiRefused, BrokerAway, ConsumerGone

logger = logging.getLogger(__name__)

# An ephemeral consumer lives as long without a request, for example while its handler is behind.
EPHEMERAL_S = 300.0
CALL_S = 2.0
BACKOFF_S = 0.1
BACKOFF_CAP_S = 2.0
LOOK_AGAIN_S = 0.5

CONSUMER_NOT_FOUND = 10014
STREAM_NOT_FOUND = 10059
MISSING = (CONSUMER_NOT_FOUND, STREAM_NOT_FOUND)


class Counterpart:
    """
    Attributes:
        name: Of one that has none, empty until it is made.
        recreated: How often it was made again.
    """

    def __init__(  # noqa: PLR0913
        self,
        client: Client,
        *,
        stream: str,
        name: str,
        config: Mapping[str, Any] | None,
        domain: str,
        agreement: Agreement,
        held: Held,
        stop: Stop,
    ) -> None:
        """
        Args:
            name: Empty for an ephemeral one.
            config: To make it from when there is none.
            agreement: Is told what the consumer's configuration says.
            held: Says whether it is made again, and from where.
        """
        self.stream = stream
        self.name = name
        self.recreated = 0
        self._client = client
        self._config = dict(config) if config is not None else None
        self._is_ephemeral = not name
        self._domain = domain
        self._agreement = agreement
        self._held = held
        self._stop = stop
        self._is_known = False

    def __str__(self) -> str:
        return f"consumer {self.name} of stream {self.stream}"

    def next_subject(self) -> str:
        """Return where it is asked for messages."""
        return f"{jetstream.prefix(self._domain)}.CONSUMER.MSG.NEXT.{self.stream}.{self.name}"

    async def find(self) -> None:
        """
        Know the consumer, and what its configuration says.

        Raises:
            ConsumerGone: It or its stream is not there, and it is not for us to make it.
            BadDefinition: See `Agreement.adopt`.
            ApiRefused: JetStream does not make it.
            BrokerAway: The connection was closed for good.
            Stopped: Before JetStream answered.
        """
        info = await self._patiently()
        self._agreement.adopt(info.get("config") or {}, wanted=self._config, name=str(self))
        self._is_known = True

    async def end(self) -> None:
        """
        Delete it, if it is only ours.

        Raises:
            BrokerAway, ApiRefused: It ends by itself, later.
        """
        if self._is_ephemeral:
            await self._call(f"CONSUMER.DELETE.{self.stream}.{self.name}")

    async def _patiently(self) -> JsonObject:
        delay_s, told = BACKOFF_S, False
        while True:
            jetstream.refuse_closed(self._client)
            try:
                return await self._info_or_new()
            except BrokerAway as e:
                if not told:
                    logger.warning("consumer %s of %s: %s", self.name or "-", self.stream, e)
                    told = True
            await self._stop.rest(delay_s)
            delay_s = min(BACKOFF_CAP_S, delay_s * 2)

    async def _info_or_new(self) -> JsonObject:
        if not self.name:
            return await self._make()
        verb = f"CONSUMER.INFO.{self.stream}.{self.name}"
        if self._is_known:
            try:
                return await self._call(verb)
            except ApiRefused as e:
                if e.code not in MISSING:
                    raise
            # Asked twice before it is believed: a server that has just come back may not know yet.
            await self._stop.rest(LOOK_AGAIN_S)
        try:
            return await self._call(verb)
        except ApiRefused as e:
            if e.code not in MISSING:
                raise
            if self._config is None or (self._is_known and not self._held.remembers):
                raise ConsumerGone(f"{self}: {e.description}") from e
        return await self._make()

    async def _make(self) -> JsonObject:
        config = dict(self._config or {})
        if self._is_ephemeral:
            self.name = self._client._nuid.next().decode()  # noqa: SLF001
            config.setdefault("inactive_threshold", round(EPHEMERAL_S * 1e9))
        else:
            config["durable_name"] = self.name
        config["name"] = self.name
        if self._is_known:
            config = self._where_we_are(config)
            self.recreated += 1
            logger.warning("consumer %s of %s is made again", self.name, self.stream)
        try:
            return await self._call(
                f"CONSUMER.CREATE.{self.stream}.{self.name}",
                {"stream_name": self.stream, "config": config},
            )
        except ApiRefused as e:
            if e.code == STREAM_NOT_FOUND:
                raise ConsumerGone(f"stream {self.stream}: {e.description}") from e
            raise

    def _where_we_are(self, config: JsonObject) -> JsonObject:
        """Return the configuration of a consumer that goes on where we are not done."""
        first = self._held.next_seq()
        if first <= 1:
            return config
        config.pop("opt_start_time", None)
        return config | {"deliver_policy": "by_start_sequence", "opt_start_seq": first}

    async def _call(self, verb: str, body: JsonObject | None = None) -> JsonObject:
        return await jetstream.call(self._client, verb, body, domain=self._domain, within_s=CALL_S)
