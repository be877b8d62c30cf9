"""
The way into accounts: declare and deploy them, and publish them shard by shard.

`roster` and `lifecycle` are what an operator asks for; `visit` is what happens every second.
"""

from __future__ import annotations

from accounts.services.lifecycle import deploy, finish_undeploying, redeploy, undeploy
from accounts.services.publisher import part
from accounts.services.publisher import run as run_publisher
from accounts.services.roster import declare_demo_accounts, request_snapshots, snapshots
from accounts.services.shards import tick
from accounts.services.visit import ShardReport, publish_pushed, publish_shard, relay_pushed

__all__ = [
    "ShardReport",
    "declare_demo_accounts",
    "deploy",
    "finish_undeploying",
    "part",
    "publish_pushed",
    "publish_shard",
    "redeploy",
    "relay_pushed",
    "request_snapshots",
    "run_publisher",
    "snapshots",
    "tick",
    "undeploy",
]
