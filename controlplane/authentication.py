"""Who calls the API: `Authorization: Bearer tp_…` beside the browser's session."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, PermissionDenied
from rest_framework.request import Request

from controlplane import access
from controlplane.models import ApiToken

CHALLENGE = 'Bearer realm="Tickplane"'


class BadCredentials(APIException):
    """The token is none, or no longer. The framework's own error would become a 403."""

    status_code = 401
    default_code = "invalid_token"
    auth_header = f'{CHALLENGE}, error="invalid_token"'


class OutOfScope(PermissionDenied):
    """The token lives, but does not reach so far."""

    default_code = "insufficient_scope"

    def __init__(self, scope: str | None) -> None:
        if scope is None:
            super().__init__(_("No token reaches this; sign in instead."))
            self.auth_header = f'{CHALLENGE}, error="insufficient_scope"'
        else:
            super().__init__(_("The token lacks the scope %(scope)s.") % {"scope": scope})
            self.auth_header = f'{CHALLENGE}, error="insufficient_scope", scope="{scope}"'


class TokenAuthentication(BaseAuthentication):
    """
    Signs a token's user in for one call.

    The scope is checked here and not among the permissions, because a view may bring permissions
    of its own: what this lets through is never more than the token reaches.
    """

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = access.find(secret=secret.strip(), now=timezone.now())
        if token is None:
            raise BadCredentials(_("This is no API token, or it has ended."))
        _require(token, request.parser_context.get("view"), str(request.method))
        return token.user, token

    def authenticate_header(self, request: Request) -> str | None:
        # None makes the framework answer 403 to who shows nothing at all. The contract's programs
        # know it so; who shows a token that is none is told 401, by `BadCredentials`.
        return None


def _require(token: ApiToken, view: Any, method: str) -> None:
    module = type(view).__module__
    needed = access.scope(module, method)
    # What belongs to no app, such as the schema, any token may read.
    if needed is None and method in access.READING:
        return
    if needed not in token.scopes:
        raise OutOfScope(needed)
