"""
What may become of an account, in one table.

    DRAFT → DEPLOYING → DEPLOYED → UNDEPLOYING → UNDEPLOYED

An operator asks (deploy, undeploy, redeploy); a worker answers (done, failed). Whether the terminal
is heard is another matter: see `Connection`.
"""

from __future__ import annotations

from enum import StrEnum


class Lifecycle(StrEnum):
    DRAFT = "DRAFT"
    DEPLOYING = "DEPLOYING"
    DEPLOYED = "DEPLOYED"
    DEPLOY_FAILED = "DEPLOY_FAILED"
    UNDEPLOYING = "UNDEPLOYING"
    UNDEPLOYED = "UNDEPLOYED"
    UNDEPLOY_FAILED = "UNDEPLOY_FAILED"


class Connection(StrEnum):
    """Whether the account's terminal is heard, and itself hears its broker."""

    CONNECTED = "CONNECTED"
    STALE = "STALE"
    DISCONNECTED = "DISCONNECTED"


# Workers publish these.
PUBLISHED = (Lifecycle.DEPLOYING, Lifecycle.DEPLOYED)
