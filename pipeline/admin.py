"""The operator's page of data sources."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from pipeline import services
from pipeline.models import DataSource

LINK_FIELDS = ("silence_s", "reconnect_interval", "max_reconnect_attempts", "buffer_size")


@admin.register(DataSource)
class DataSourceAdmin(admin.ModelAdmin[DataSource]):
    list_display = (
        "name", "enabled", "condition", "state_since", "heard", "received_count",
        "published_count", "undecodable_count", "last_error",
    )  # fmt: skip
    list_filter = ("enabled", "state", "venue", "is_demo")
    search_fields = ("name", "endpoint")
    actions = ("enable", "disable")
    readonly_fields = (
        "condition", "state_since", "last_error", "received_count", "published_count",
        "undecodable_count", "last_message_at", "is_demo",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("name", "venue", "protocol", "endpoint", "enabled")}),
        (_("Link"), {"fields": LINK_FIELDS}),
        (_("Seen by the pipeline"), {"fields": readonly_fields}),
    )

    @admin.display(description=_("state"), ordering="state")
    def condition(self, source: DataSource) -> str:
        return format_html(
            '<span class="state state-{}">{}</span>', source.state, source.get_state_display()
        )

    @admin.display(description=_("last message"), ordering="last_message_at")
    def heard(self, source: DataSource) -> str:
        if source.last_message_at is None:
            return gettext("never")
        age = timezone.now() - source.last_message_at
        if age.total_seconds() < 60:  # noqa: PLR2004  timesince counts minutes
            return gettext("%(age).0f s ago") % {"age": max(0.0, age.total_seconds())}
        return gettext("%(age)s ago") % {"age": timesince(source.last_message_at)}

    @admin.display(description=_("received"), ordering="received")
    def received_count(self, source: DataSource) -> str:
        return number_format(source.received, force_grouping=True)

    @admin.display(description=_("published"), ordering="published")
    def published_count(self, source: DataSource) -> str:
        return number_format(source.published, force_grouping=True)

    @admin.display(description=_("undecodable"), ordering="undecodable")
    def undecodable_count(self, source: DataSource) -> str:
        return number_format(source.undecodable, force_grouping=True)

    def get_fieldsets(self, request: HttpRequest, obj: DataSource | None = None) -> Any:
        # Nothing was seen of a source that is not there yet.
        return self.fieldsets if obj else self.fieldsets[:-1]

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
            % {"count": count}
            if count
            else gettext("Nothing to do: they are enabled already."),
        )

    @admin.action(description=_("Disable"))
    def disable(self, request: HttpRequest, sources: QuerySet[DataSource]) -> None:
        count = services.disable(sources=sources)
        self.message_user(
            request,
            ngettext("%(count)d source disabled.", "%(count)d sources disabled.", count)
            % {"count": count}
            if count
            else gettext("Nothing to do: they are disabled already."),
        )
