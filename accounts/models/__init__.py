"""The records of accounts. What `services` alone writes stands below what an operator writes."""

from __future__ import annotations

from accounts.models.account import Account, AccountQuerySet
from accounts.models.audit import AuditEntry
from accounts.models.event import AccountEvent, DeadLetter
from accounts.models.group import AccountGroup, Tag
from accounts.models.history import EquityBar
from accounts.models.outlet import OutletStatus
from accounts.models.rule import Rule
from accounts.models.shard import ShardLease
from accounts.models.token import AccountToken

__all__ = [
    "Account",
    "AccountEvent",
    "AccountGroup",
    "AccountQuerySet",
    "AccountToken",
    "AuditEntry",
    "DeadLetter",
    "EquityBar",
    "OutletStatus",
    "Rule",
    "ShardLease",
    "Tag",
]
