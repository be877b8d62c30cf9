"""Pages of our own inside the admin: what each of them needs, and how trouble is told."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext

from streams.core.errors import ApiRefused, BrokerAway, StreamsError


class Beside(admin.ModelAdmin[Any]):
    """A record's page that shows more than the form."""

    def beside(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        """Return what the page's template is told of the record."""
        return {}

    def render_change_form(  # noqa: PLR0913, PLR0917  Django's
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,  # noqa: FBT001, FBT002
        change: bool = False,  # noqa: FBT001, FBT002
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        if obj is not None:
            context |= self.beside(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)


def page(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, template: str, **what: Any
) -> TemplateResponse:
    """Return one page of the admin; nobody keeps a copy of it."""
    answer = TemplateResponse(
        request,
        f"admin/streams/{template}",
        {
            **model_admin.admin_site.each_context(request),
            "opts": model_admin.opts,
            "media": model_admin.media,
            **what,
        },
    )
    add_never_cache_headers(answer)
    return answer


def reason(error: StreamsError) -> str:
    """Return the error as an operator reads it."""
    match error:
        case BrokerAway():
            return gettext("NATS is away: %(why)s") % {"why": error}
        case ApiRefused():
            return gettext("NATS refused: %(why)s") % {"why": error}
        case _:
            return str(error)


def tell(model_admin: admin.ModelAdmin[Any], request: HttpRequest, error: StreamsError) -> None:
    model_admin.message_user(request, reason(error), level=messages.ERROR)
