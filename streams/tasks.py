"""Celery's way in."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from streams import services
from streams.core.errors import BrokerError
from streams.services import advisories, backups, lag

logger = logging.getLogger(__name__)


@shared_task(name="streams.keep")
def keep(**_: object) -> None:
    """Create the declared streams that are missing, for example after the store was emptied."""
    try:
        services.keep_streams(now=timezone.now())
    except BrokerError as e:
        logger.warning("streams not checked: %s", e)


@shared_task(name="streams.collect_advisories")
def collect_advisories(**_: object) -> None:
    """Keep what JetStream told since the last time."""
    try:
        advisories.collect(now=timezone.now())
    except BrokerError as e:
        # That NATS is away, `keep` says.
        logger.info("advisories not collected: %s", e)


@shared_task(name="streams.refresh_consumers")
def refresh_consumers(**_: object) -> None:
    """Write down how far the declared consumers are."""
    try:
        lag.refresh_consumers(now=timezone.now())
    except BrokerError as e:
        logger.info("consumers not refreshed: %s", e)


@shared_task(name="streams.prune")
def prune(**_: object) -> None:
    """Delete advisories and backups that are kept no longer."""
    advisories.prune()
    backups.prune(now=timezone.now())
