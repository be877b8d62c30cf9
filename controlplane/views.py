"""Signing in with a link that works once, and what is said where there is no page."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views import defaults
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from controlplane import invitation
from pipeline import services as pipeline
from streams.core.report import Collector

API = "/api/"


def demo(_request: HttpRequest) -> dict[str, object]:
    """Return what a template must know to mark made-up data; asked only where it is used."""
    return {"has_demo_source": pipeline.has_demo_source}


def collector(now: datetime) -> Collector:
    """Return what `GET /api/v1/status` tells of the data sources."""
    idle = pipeline.has_enabled_sources() and not pipeline.is_alive(now=now)
    return Collector("stopped" if idle else "running", pipeline.collection_stats())


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


def no_page(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a program in the words of the API, and a person with a page."""
    if request.path.startswith(API):
        return JsonResponse({"error": _("There is no such address.")}, status=HTTPStatus.NOT_FOUND)
    return defaults.page_not_found(request, exception)


def failed(request: HttpRequest) -> HttpResponse:
    """Say that a bug was met, which is in the log. See `no_page`."""
    if request.path.startswith(API):
        return JsonResponse(
            {"error": _("This did not work; what happened is in the log of the web server.")},
            status=HTTPStatus.INTERNAL_SERVER_ERROR,
        )
    return defaults.server_error(request)
