"""This process's connection to NATS, for code that does not await."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from streams.broker.link import Link


@cache
def link() -> Link:
    """Return this process's connection to NATS, made on first use."""
    return Link(settings.NATS_URL, name="control")
