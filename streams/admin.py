"""The operator's page of streams."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.timesince import timesince
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from streams import services
from streams.core.errors import BrokerError
from streams.models import Stream


@admin.register(Stream)
class StreamAdmin(admin.ModelAdmin[Stream]):
    list_display = (
        "name", "patterns", "message_count", "size", "age_limit", "limit", "storage", "seen_at",
        "last_error",
    )  # fmt: skip
    actions = ("keep_now",)
    readonly_fields = ("message_count", "size", "seen_at", "last_error")
    fieldsets = (
        (None, {"fields": ("name", "subjects")}),
        (
            _("Limits"),
            {
                "fields": ("retention", "storage", "max_age_s", "max_msgs", "max_bytes"),
                "description": _(
                    "Used when the stream is created. One that exists in NATS is never changed: "
                    "delete it there, and it is created anew as declared here."
                ),
            },
        ),
        (_("Seen in NATS"), {"fields": readonly_fields}),
    )

    @admin.display(description=_("subjects"))
    def patterns(self, stream: Stream) -> str:
        return ", ".join(stream.subjects)

    @admin.display(description=_("messages"), ordering="messages")
    def message_count(self, stream: Stream) -> str:
        return number_format(stream.messages, force_grouping=True)

    @admin.display(description=_("size"), ordering="bytes")
    def size(self, stream: Stream) -> str:
        return filesizeformat(stream.bytes)

    @admin.display(description=_("keeps for"), ordering="max_age_s")
    def age_limit(self, stream: Stream) -> str:
        if not stream.max_age_s:
            return gettext("ever")
        now = timezone.now()
        return timesince(now - timedelta(seconds=stream.max_age_s), now)

    @admin.display(description=_("keeps at most"), ordering="max_msgs")
    def limit(self, stream: Stream) -> str:
        limits = []
        if stream.max_msgs:
            limits.append(number_format(stream.max_msgs, force_grouping=True))
        if stream.max_bytes:
            limits.append(filesizeformat(stream.max_bytes))
        return ", ".join(limits) or gettext("everything")

    def get_fieldsets(self, request: HttpRequest, obj: Stream | None = None) -> Any:
        # Nothing was seen of a stream that is not there yet.
        return self.fieldsets if obj else self.fieldsets[:-1]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Stream | None = None
    ) -> tuple[str, ...]:
        # Another name is another stream; the one in NATS would stay behind.
        return (*self.readonly_fields, *(("name",) if obj else ()))

    @admin.action(description=_("Create missing streams and refresh the counts"))
    def keep_now(self, request: HttpRequest, streams: QuerySet[Stream]) -> None:
        try:
            kept = services.keep_streams(now=timezone.now())
        except BrokerError as e:
            self.message_user(request, str(e), level=messages.ERROR)
            return
        self.message_user(
            request,
            gettext("%(created)d created, %(existing)d there already, %(failed)d failed.")
            % {
                "created": len(kept.created),
                "existing": len(kept.existing),
                "failed": len(kept.failed),
            },
            level=messages.WARNING if kept.failed else messages.SUCCESS,
        )
