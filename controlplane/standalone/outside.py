"""Servers that the operator gave: whether they let us in, asked before anything stands on them."""

from __future__ import annotations

import contextlib

import pika
from pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    AuthenticationError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

CONNECT_S = 3.0


class LetNobodyIn(Exception):
    """A server answers and refuses what its URL holds; one sentence that names the setting."""


def ask(*, rabbitmq_url: str, redis_url: str) -> None:
    """
    Return when each server that has a URL lets us in, or is away: that one may come back.

    Raises:
        LetNobodyIn: One refuses the user, the password or the virtual host.
    """
    if rabbitmq_url:
        _ask_rabbitmq(rabbitmq_url)
    if redis_url:
        _ask_redis(redis_url)


def _ask_rabbitmq(url: str) -> None:
    try:
        parameters = pika.URLParameters(url)
        parameters.connection_attempts = 1
        parameters.socket_timeout = parameters.stack_timeout = CONNECT_S
        pika.BlockingConnection(parameters).close()
    except (ProbableAuthenticationError, AuthenticationError) as e:
        raise LetNobodyIn("RABBITMQ_URL: RabbitMQ refuses this user or password.") from e
    except ProbableAccessDeniedError as e:
        raise LetNobodyIn("RABBITMQ_URL: RabbitMQ refuses this user that virtual host.") from e
    except ValueError as e:
        raise LetNobodyIn("RABBITMQ_URL holds an option that is not understood.") from e
    except (AMQPConnectionError, AMQPError, OSError):
        return


def _ask_redis(url: str) -> None:
    # Five megabytes that most installations of one machine need not hold.
    import redis  # noqa: PLC0415

    try:
        with contextlib.closing(
            redis.Redis.from_url(url, socket_connect_timeout=CONNECT_S, socket_timeout=CONNECT_S)
        ) as client:
            client.ping()
    except redis.AuthenticationError as e:
        raise LetNobodyIn("REDIS_URL: Redis refuses this user or password.") from e
    except redis.ResponseError as e:
        raise LetNobodyIn(f"REDIS_URL: Redis says {e}.") from e
    except (ValueError, TypeError) as e:
        raise LetNobodyIn("REDIS_URL holds an option that is not understood.") from e
    except (redis.RedisError, OSError):
        return
