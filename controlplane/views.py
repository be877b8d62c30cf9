"""Signing in with a link that works once."""

from __future__ import annotations

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from controlplane import invitation


@require_GET
@never_cache
def sign_in_once(request: HttpRequest, token: str) -> HttpResponse:
    user = invitation.redeem(token)
    if user is None:
        return HttpResponseForbidden(
            _("This link was used already, or is older than ten minutes. Sign in with a password."),
            content_type="text/plain; charset=utf-8",
        )
    login(request, user)
    answer = redirect("dashboard")
    answer["Referrer-Policy"] = "no-referrer"  # The address holds the token.
    return answer
