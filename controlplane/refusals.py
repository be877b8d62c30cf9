"""How the API says no: `{"error": "…"}`, and `fields` where the body or the query is to blame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotAuthenticated, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler

from controlplane.authentication import CHALLENGE


def answer(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """Return the framework's answer in our shape; None for a bug, which stays a 500."""
    response = exception_handler(exc, dict(context))
    if response is None:
        return None
    if isinstance(exc, NotAuthenticated):
        response["WWW-Authenticate"] = CHALLENGE
    if isinstance(exc, ValidationError):
        response.data = _refused(exc.detail)
    else:
        response.data = {"error": str(response.data.get("detail", ""))}
    return response


def _refused(detail: Any) -> dict[str, Any]:
    fields = dict(_leaves(detail))
    if not any(fields):  # What concerns no field in particular.
        return {"error": " ".join(fields.get("", [_("This cannot be done.")]))}
    name, reasons = next(iter(fields.items()))
    return {"error": f"{name}: {reasons[0]}" if name else reasons[0], "fields": fields}


def _leaves(detail: Any, place: str = "") -> list[tuple[str, list[str]]]:
    """Return (place, reasons) of every complaint; a place is written `tags` or `accountIds.3`."""
    if isinstance(detail, Mapping):
        items = [(str(key), value) for key, value in detail.items()]
    elif isinstance(detail, list) and any(isinstance(entry, Mapping | list) for entry in detail):
        items = [(str(number), entry) for number, entry in enumerate(detail) if entry]
    else:
        reasons = detail if isinstance(detail, list) else [detail]
        return [(place, [str(reason) for reason in reasons])]
    return [
        leaf
        for key, value in items
        for leaf in _leaves(
            value, place if key == "non_field_errors" else f"{place}.{key}" if place else key
        )
    ]
