"""What an operator must know before anything else: a broker that does not take what it should."""

from __future__ import annotations

from accounts.models import OutletStatus
from accounts.services import outlets


def troubles() -> list[OutletStatus]:
    """Return the configured brokers that are away or degraded."""
    return list(
        OutletStatus.objects.filter(name__in=outlets.configured()).exclude(
            state=OutletStatus.State.READY
        )
    )
