"""The operator's page of streams."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from streams import services
from streams.core.errors import BrokerError
from streams.models import Stream


@admin.register(Stream)
class StreamAdmin(admin.ModelAdmin[Stream]):
    list_display = (
        "name", "subjects", "retention", "storage", "max_age_s", "max_msgs",
        "messages", "bytes", "seen_at", "last_error",
    )  # fmt: skip
    readonly_fields = ("messages", "bytes", "seen_at", "last_error")
    actions = ("keep_now",)

    @admin.action(description=_("Create missing streams and refresh the counts"))
    def keep_now(self, request: HttpRequest, streams: QuerySet[Stream]) -> None:
        try:
            kept = services.keep_streams(now=timezone.now())
        except BrokerError as e:
            self.message_user(request, str(e), level="error")
            return
        self.message_user(
            request,
            gettext("%(created)d created, %(existing)d there already, %(failed)d failed.")
            % {
                "created": len(kept.created),
                "existing": len(kept.existing),
                "failed": len(kept.failed),
            },
        )
