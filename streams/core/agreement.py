"""What we and one consumer of JetStream agree on: how much is asked for, and how it is settled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streams.core.errors import BadDefinition

BATCH = 1_000
MAX_OUTSTANDING = 10_000
MAX_BYTES = 64 * 1024 * 1024
EXPIRES_S = 30.0
# The server does not find out by itself that it no longer serves a request, and we do not either.
HEARTBEAT_S = 2.0
# Of heartbeats; the first may stay out because the server is busy.
SILENT = 2.5

POLICIES = ("explicit", "all", "none")


@dataclass(frozen=True)
class Limits:
    """
    Attributes:
        batch: Messages in one request; two are under way.
        max_outstanding: Messages asked for, waiting and in the handler's hands, in all. The
            consumer's own `max_ack_pending` counts where it is less.
        max_bytes: Of messages that are held; beyond it nothing more is asked for.
        expires_s: How long a request stands.
        heartbeat_s: How often the server says that it stands; 0 means never.
    """

    batch: int = BATCH
    max_outstanding: int = MAX_OUTSTANDING
    max_bytes: int = MAX_BYTES
    expires_s: float = EXPIRES_S
    heartbeat_s: float = HEARTBEAT_S

    def check(self) -> None:
        """
        Raises:
            BadDefinition: One of them cannot be.
        """
        for field in ("batch", "max_outstanding", "max_bytes", "expires_s"):
            if not getattr(self, field) > 0:
                raise BadDefinition(field, "is above zero")
        if self.heartbeat_s < 0:
            raise BadDefinition("heartbeat_s", "is not below zero")


class Agreement:
    """
    One object that all who serve a consumer look at. `adopt` changes it in place.

    Attributes:
        policy: How messages are acknowledged; one of `POLICIES`.
        batch: Messages in one request.
        outstanding: Messages asked for and not settled, in all.
        max_deliver: How often a message comes at most; 0 or -1 means without end.
        expires_ns, heartbeat_ns: Of a request.
        silence_s: Without a word for so long, a request does not stand any more.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.policy = "explicit"
        self.batch = self.outstanding = 1
        self.max_deliver = 0
        self.expires_ns = self.heartbeat_ns = 0
        self.silence_s = 0.0

    def adopt(
        self, config: Mapping[str, Any], *, wanted: Mapping[str, Any] | None, name: str
    ) -> None:
        """
        Take over what the consumer's configuration says.

        Args:
            wanted: The configuration that somebody asked for, if any.
            name: Of the consumer, for the errors.

        Raises:
            BadDefinition: It cannot be pulled from, or means something else than what is wanted.
        """
        if config.get("deliver_subject"):
            raise BadDefinition("deliver_subject", f"{name} pushes; only a pull consumer will do")
        self.policy = config.get("ack_policy") or "none"
        if self.policy not in POLICIES:
            raise BadDefinition("ack_policy", f"{name} has {self.policy}; this is for servers")
        if wanted is not None and _filters(config) != _filters(wanted):
            raise BadDefinition("filter_subjects", f"{name} exists and has other ones")
        self._set_counts(config)
        self._set_times(config)

    def _set_counts(self, config: Mapping[str, Any]) -> None:
        pending = int(config.get("max_ack_pending") or 0)
        self.max_deliver = int(config.get("max_deliver") or 0)
        self.outstanding = self._limits.max_outstanding
        if pending > 0 and self.policy != "none":
            self.outstanding = min(self.outstanding, pending)
        self.batch = max(1, min(self._limits.batch, self.outstanding // 2))
        if most := int(config.get("max_batch") or 0):
            self.batch = min(self.batch, most)

    def _set_times(self, config: Mapping[str, Any]) -> None:
        self.expires_ns = round(self._limits.expires_s * 1e9)
        if most := int(config.get("max_expires") or 0):
            self.expires_ns = min(self.expires_ns, most)
        # The server refuses heartbeats of more than half of that.
        self.heartbeat_ns = min(round(self._limits.heartbeat_s * 1e9), self.expires_ns // 2)
        self.silence_s = self.heartbeat_ns / 1e9 * SILENT or math.inf


def _filters(config: Mapping[str, Any]) -> set[str]:
    one = config.get("filter_subject")
    return set(config.get("filter_subjects") or ([one] if one else []))
