"""Lets leaders hand over, for example before their server is stopped."""

from __future__ import annotations


def step_down(*, stream: str, actor: str) -> None:
    """
    Let a stream's leader hand over to another replica.

    Raises:
        Guarded: The stream's policy is "observe", or a single server keeps it.
        BrokerAway, ApiRefused: See `Link.api`.
    """
    raise NotImplementedError


def step_down_consumer(*, stream: str, consumer: str, actor: str) -> None:
    """
    Let a consumer's leader hand over.

    Raises:
        As `step_down`.
    """
    raise NotImplementedError


def step_down_meta(*, actor: str) -> None:
    """
    Let the leader of the cluster itself hand over.

    Raises:
        Guarded: A single server has no cluster.
        BrokerAway, ApiRefused: See `Link.api`.
    """
    raise NotImplementedError
