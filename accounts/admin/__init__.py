"""The operator's pages of accounts. Each module registers its own with the admin."""

from __future__ import annotations

from accounts.admin import accounts, brokers, events, groups, letters, rules, shards, trail

__all__ = ["accounts", "brokers", "events", "groups", "letters", "rules", "shards", "trail"]
