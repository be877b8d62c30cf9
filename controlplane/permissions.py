"""What callers of the API may do, unless a view brings permissions of its own."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request


class NamedRights(BasePermission):
    """
    Who is signed in reads; staff do what a view names in `needs`, if they have the rights.

    `needs` gives the model permissions by method: `{"POST": ("accounts.add_account",)}`. A method
    that changes something and is not named there is refused to everybody.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        if not user.is_authenticated:
            return False
        method = "GET" if request.method == "HEAD" else str(request.method)
        if not hasattr(view, method.lower()):
            return True  # The view itself answers 405.
        needed = getattr(view, "needs", {}).get(method)
        if needed is None:
            return method in SAFE_METHODS
        return bool(user.is_staff and user.has_perms(needed))
