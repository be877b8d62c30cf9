"""This process's connection to NATS, for code that does not await."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from streams.broker.link import Link


@cache
def link() -> Link:
    """Return this process's connection to NATS, made on first use."""
    # It brings nats-py, 7 MB in each process: not for those that only read rows.
    from streams.broker.link import Link  # noqa: PLC0415

    return Link(settings.NATS_URL, name="control")
