"""The timeline of events: what happened, and which broker has it."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.admin import shown
from accounts.admin.records import DateFilter, RangeFilter, Written
from accounts.core.events import KINDS
from accounts.models import AccountEvent
from accounts.services import outlets

OTHER_KINDS = ("connection", "alert")


def pretty(payload: str) -> SafeString:
    """Return a message with a line for each of its members; as it is when it is no JSON."""
    try:
        text = json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = payload
    return format_html('<pre class="payload" tabindex="0">{}</pre>', text)


class KindFilter(admin.SimpleListFilter):
    # The known ones: to ask a long table which it holds would take as long as to read it.
    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind, kind) for kind in (*sorted(KINDS), *OTHER_KINDS)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        return queryset.filter(kind__startswith=self.value())


class OwedFilter(admin.SimpleListFilter):
    title = _("delivery")
    parameter_name = "owed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("1", _("Owed to a broker")), ("0", _("Sent to all"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AccountEvent]
    ) -> QuerySet[AccountEvent]:
        owed = outlets.owed_events()
        if self.value() is None:
            return queryset
        return queryset.filter(owed) if self.value() == "1" else queryset.exclude(owed)


class NumberFilter(RangeFilter):
    title = _("number")
    name = "number"


@admin.register(AccountEvent)
class EventAdmin(Written):
    list_display = (
        "created_at", "whose", "number", "kind", "rabbitmq", "nats", "attempts", "last_error",
    )  # fmt: skip
    list_display_links = ("created_at",)
    list_filter = (OwedFilter, KindFilter, ("created_at", DateFilter), NumberFilter)
    list_select_related = ("account",)
    search_fields = ("=account__login", "=account__server", "=message_id")
    fields = (
        "whose", "number", "kind", "message_id", "created_at", "rabbitmq_at", "nats_at",
        "attempts", "last_error", "message",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccountEvent]:
        return super().get_queryset(request).defer("account__state", "account__published")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return super().get_search_results(request, queryset, search_term.replace("/", " "))

    @admin.display(description=_("account"), ordering="account")
    def whose(self, event: AccountEvent) -> str:
        return shown.account_link(event.account)

    @admin.display(description="RabbitMQ", ordering="rabbitmq_at")
    def rabbitmq(self, event: AccountEvent) -> str:
        if "rabbitmq" not in outlets.configured():
            return shown.NOTHING
        return _sent(event.rabbitmq_at)

    @admin.display(description="NATS", ordering="nats_at")
    def nats(self, event: AccountEvent) -> str:
        return _sent(event.nats_at)

    @admin.display(description=_("message"))
    def message(self, event: AccountEvent) -> str:
        return pretty(event.payload)


def _sent(at: Any) -> str:
    return shown.badge("owed", str(_("owed"))) if at is None else shown.moment(at)
