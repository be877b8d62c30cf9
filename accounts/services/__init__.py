"""
The way into accounts: declare and deploy them, and publish them shard by shard.

`roster` and `lifecycle` are what an operator asks for; `visit` is what happens every second.
"""

from __future__ import annotations

from accounts.services.lifecycle import deploy, finish_undeploying, redeploy, undeploy
from accounts.services.roster import declare_demo_accounts, request_snapshots, snapshots
from accounts.services.visit import ShardReport, outlets, publish_shard, tick

__all__ = [
    "ShardReport",
    "declare_demo_accounts",
    "deploy",
    "finish_undeploying",
    "outlets",
    "publish_shard",
    "redeploy",
    "request_snapshots",
    "snapshots",
    "tick",
    "undeploy",
]
