"""The operator's page of streams."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from streams import services
from streams.core.errors import BrokerError
from streams.models import Stream


@admin.register(Stream)
class StreamAdmin(admin.ModelAdmin[Stream]):
    list_display = ("name", "patterns", "policy", "message_count", "size", "seen_at", "last_error")
    actions = ("keep_now",)
    readonly_fields = ("message_count", "size", "seen_at", "last_error")
    fieldsets = (
        (None, {"fields": ("name", "config", "policy")}),
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
