"""Signing in with a link that works once."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from controlplane import invitation
from pipeline import services as pipeline


def demo(_request: HttpRequest) -> dict[str, object]:
    """Return what a template must know to mark made-up data; asked only where it is used."""
    return {"has_demo_source": pipeline.has_demo_source}


@require_GET
@never_cache
def sign_in_once(request: HttpRequest, token: str) -> HttpResponse:
    user = invitation.redeem(token)
    if user is None:
        return render(request, "registration/link_ended.html", status=HTTPStatus.FORBIDDEN)
    login(request, user)
    answer = redirect("dashboard")
    answer["Referrer-Policy"] = "no-referrer"  # The address holds the token.
    return answer
