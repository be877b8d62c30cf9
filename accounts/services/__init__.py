"""
The way into accounts: declare and deploy them, and publish them shard by shard.

`roster` is what an operator asks for; `visit` is what happens every second.
"""

from __future__ import annotations

from accounts.services.roster import (
    declare_demo_accounts,
    deploy,
    request_snapshots,
    snapshots,
    undeploy,
)
from accounts.services.visit import ShardReport, outlets, publish_shard, tick

__all__ = [
    "ShardReport",
    "declare_demo_accounts",
    "deploy",
    "outlets",
    "publish_shard",
    "request_snapshots",
    "snapshots",
    "tick",
    "undeploy",
]
