"""The project's own pages in the admin."""

from __future__ import annotations

from controlplane.admin.people import Groups, People
from controlplane.admin.tokens import ApiTokens

__all__ = ["ApiTokens", "Groups", "People"]
