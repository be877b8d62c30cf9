"""The operator's page of data sources."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from pipeline import services
from pipeline.models import DataSource

LINK_FIELDS = ("silence_s", "reconnect_interval", "max_reconnect_attempts", "buffer_size")


@admin.register(DataSource)
class DataSourceAdmin(admin.ModelAdmin[DataSource]):
    list_display = (
        "name", "venue", "protocol", "enabled", "state", "state_since", "received", "published",
        "undecodable", "last_message_at", "last_error",
    )  # fmt: skip
    list_filter = ("enabled", "state", "venue", "protocol", "is_demo")
    search_fields = ("name", "endpoint")
    actions = ("enable", "disable")
    readonly_fields = (
        "state", "state_since", "last_error", "received", "published", "undecodable",
        "last_message_at", "is_demo",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("name", "venue", "protocol", "endpoint", "enabled")}),
        (_("Link"), {"fields": LINK_FIELDS}),
        (_("Seen by the pipeline"), {"fields": readonly_fields}),
    )

    def get_readonly_fields(
        self, request: HttpRequest, obj: DataSource | None = None
    ) -> tuple[str, ...]:
        # Its name is its identity in logs, counters and workers.
        return (*self.readonly_fields, *(("name",) if obj else ()))

    def save_model(
        self,
        request: HttpRequest,
        obj: DataSource,
        form: ModelForm[DataSource],
        change: bool,  # noqa: FBT001
    ) -> None:
        # Only what was typed: the counters were read a while ago, and the pipeline has written
        # them since.
        obj.save(update_fields=form.changed_data if change else None)

    @admin.action(description=_("Enable"))
    def enable(self, request: HttpRequest, sources: QuerySet[DataSource]) -> None:
        count = services.enable(sources=sources)
        self.message_user(
            request,
            ngettext("%(count)d source enabled.", "%(count)d sources enabled.", count)
            % {"count": count},
        )

    @admin.action(description=_("Disable"))
    def disable(self, request: HttpRequest, sources: QuerySet[DataSource]) -> None:
        count = services.disable(sources=sources)
        self.message_user(
            request,
            ngettext("%(count)d source disabled.", "%(count)d sources disabled.", count)
            % {"count": count},
        )
