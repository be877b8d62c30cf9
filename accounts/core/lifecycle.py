"""
What may become of an account, in one table.

    DRAFT → DEPLOYING → DEPLOYED → UNDEPLOYING → UNDEPLOYED

An operator asks (deploy, undeploy, redeploy); a worker answers (done, failed). Whether the terminal
is heard is another matter: see `Connection`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from accounts.core.errors import BadTransition


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

# What may be deleted: nothing is published of it, and no worker is at it.
DELETABLE = (
    Lifecycle.DRAFT, Lifecycle.UNDEPLOYED, Lifecycle.DEPLOY_FAILED, Lifecycle.UNDEPLOY_FAILED,
)  # fmt: skip


class Step(StrEnum):
    """The first three are an operator's, the others a worker's answer to them."""

    DEPLOY = "deploy"
    UNDEPLOY = "undeploy"
    REDEPLOY = "redeploy"
    DONE = "done"
    FAILED = "failed"


# A changed mind is no failure: who undeploys may deploy again before the worker has answered.
TABLE: Mapping[Lifecycle, Mapping[Step, Lifecycle]] = {
    Lifecycle.DRAFT: {
        Step.DEPLOY: Lifecycle.DEPLOYING,
    },
    Lifecycle.DEPLOYING: {
        Step.DONE: Lifecycle.DEPLOYED,
        Step.FAILED: Lifecycle.DEPLOY_FAILED,
        Step.REDEPLOY: Lifecycle.DEPLOYING,
        Step.UNDEPLOY: Lifecycle.UNDEPLOYING,
    },
    Lifecycle.DEPLOYED: {
        Step.REDEPLOY: Lifecycle.DEPLOYING,
        Step.UNDEPLOY: Lifecycle.UNDEPLOYING,
    },
    Lifecycle.DEPLOY_FAILED: {
        Step.DEPLOY: Lifecycle.DEPLOYING,
        Step.REDEPLOY: Lifecycle.DEPLOYING,
        Step.UNDEPLOY: Lifecycle.UNDEPLOYING,
    },
    Lifecycle.UNDEPLOYING: {
        Step.DONE: Lifecycle.UNDEPLOYED,
        Step.FAILED: Lifecycle.UNDEPLOY_FAILED,
        Step.DEPLOY: Lifecycle.DEPLOYING,
    },
    Lifecycle.UNDEPLOYED: {
        Step.DEPLOY: Lifecycle.DEPLOYING,
    },
    Lifecycle.UNDEPLOY_FAILED: {
        Step.DEPLOY: Lifecycle.DEPLOYING,
        Step.UNDEPLOY: Lifecycle.UNDEPLOYING,
    },
}


def after(state: str, step: Step) -> Lifecycle:
    """
    Return what becomes of an account in `state` with `step`.

    Raises:
        BadTransition: The table has no such way.
    """
    try:
        return TABLE[Lifecycle(state)][step]
    except (KeyError, ValueError):
        raise BadTransition(f"{step} is not possible while it is {state}") from None
