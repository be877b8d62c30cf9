"""Celery's way in."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from streams import services
from streams.core.errors import BrokerError

logger = logging.getLogger(__name__)


@shared_task(name="streams.keep")
def keep(**_: object) -> None:
    """Create the declared streams that are missing, for example after the store was emptied."""
    try:
        services.keep_streams(now=timezone.now())
    except BrokerError as e:
        logger.warning("streams not checked: %s", e)
