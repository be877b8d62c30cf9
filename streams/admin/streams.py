"""The operator's pages of streams: the list, and one stream with all that can be done to it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from streams.admin import shown
from streams.admin.backups import BackingUp
from streams.admin.looking import Looking
from streams.admin.pages import tell
from streams.admin.panels import panels
from streams.admin.planning import PlanPage
from streams.admin.records import DeclaredAdmin
from streams.admin.removing import Removing
from streams.admin.taking import Taking
from streams.core.errors import StreamsError
from streams.core.fields import STREAM_FIELDS
from streams.forms.declared import StreamForm
from streams.models import Stream
from streams.services import leaders

GROUPS = {
    "stream": _("What it is"),
    "subjects": _("What goes in: subjects, transforms, mirror and sources"),
    "retention": _("How long it is kept: limits"),
    "storage": _("How it is stored: replicas and placement"),
    "access": _("What clients may do, and safety"),
    "consumers": _("Its consumers"),
}


@admin.register(Stream)
class StreamAdmin(PlanPage, Taking, Looking, Removing, BackingUp, DeclaredAdmin):
    form = StreamForm
    table = STREAM_FIELDS
    groups = GROUPS
    own_fields = ("name", "policy")
    first = frozenset({"subjects", "retention", "storage"})
    list_display = ("name", "patterns", "policy_word", "condition", "message_count",
                    "limits", "consumers", "age_limit", "seen")  # fmt: skip
    search_fields = ("name", "config")
    actions = ("plan_selected", "accept_selected", "refresh_selected")
    change_form_template = "admin/streams/stream/change_form.html"
    change_list_template = "admin/streams/stream/change_list.html"
    delete_confirmation_template = "admin/streams/delete_confirmation.html"
    delete_selected_confirmation_template = "admin/streams/delete_selected_confirmation.html"

    # Columns

    @admin.display(description=_("subjects"))
    def patterns(self, stream: Stream) -> str:
        return ", ".join(map(str, stream.subjects)) or shown.NOTHING

    @admin.display(description=_("messages"), ordering="messages")
    def message_count(self, stream: Stream) -> str:
        return format_html(
            "{}<small>{}</small>", shown.count(stream.messages), shown.size(stream.bytes)
        )

    @admin.display(description=_("fullest limit"))
    def limits(self, stream: Stream) -> str:
        """Return how full the fullest of its limits is."""
        config = stream.live or stream.given
        told = [
            (gettext("messages"), stream.messages, config.get("max_msgs")),
            (gettext("size"), stream.bytes, config.get("max_bytes")),
        ]
        bounded = [
            (used / limit, name, used, limit)
            for name, used, limit in told
            if isinstance(limit, int) and limit > 0
        ]
        if not bounded:
            return shown.NOTHING
        _share, name, used, limit = max(bounded)
        return format_html("{}<small>{}</small>", shown.meter(used, limit, name), name)

    @admin.display(description=_("consumers"), ordering="consumer_count")
    def consumers(self, stream: Stream) -> str:
        address = reverse("admin:streams_streamconsumer_changelist")
        count = shown.count(stream.consumer_count)
        return format_html('<a href="{}?stream__id__exact={}">{}</a>', address, stream.pk, count)

    @admin.display(description=_("age limit"))
    def age_limit(self, stream: Stream) -> str:
        age_ns = (stream.live or stream.given).get("max_age")
        if not isinstance(age_ns, int) or age_ns <= 0:
            return shown.NOTHING
        return shown.value("max_age", age_ns)

    # One stream

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/step-down/", wrap(require_POST(self.step_down_view)),
                 name="streams_stream_step_down"),
            path("<int:pk>/accept/", wrap(require_POST(self.accept_view)),
                 name="streams_stream_accept"),
            path("<int:pk>/refresh/", wrap(require_POST(self.refresh_view)),
                 name="streams_stream_refresh"),
            *super().get_urls(),
        ]  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Stream | None = None) -> Any:
        # Another name is another stream; the one in NATS would stay behind.
        return ("name",) if obj else ()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may_import = self.has_import_permission(request)
        return super().changelist_view(request, {"may_import": may_import, **(extra_context or {})})

    def beside(self, request: HttpRequest, record: Stream) -> dict[str, Any]:
        return {
            **panels(record),
            "stream": record,
            "facts": self._facts(record),
            "may_change": self.has_change_permission(request, record),
            "may_remove": self.has_remove_permission(request, record),
            "may_back_up": self.has_backup_permission(request),
        }

    def _facts(self, stream: Stream) -> list[tuple[Any, Any]]:
        sequences = f"{stream.first_seq} – {stream.last_seq}"  # noqa: RUF001
        return [
            (_("Standing"), self.condition(stream)),
            (_("Messages"), shown.count(stream.messages)),
            (_("Size"), shown.size(stream.bytes)),
            (_("Sequences"), sequences),
            (_("Fullest limit"), self.limits(stream)),
            (_("Consumers"), self.consumers(stream)),
            (_("Seen"), shown.moment(stream.seen_at)),
            *([(_("Last error"), stream.last_error)] if stream.last_error else []),
        ]

    def step_down_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        stream = get_object_or_404(Stream, pk=pk)
        if not self.has_change_permission(request, stream):
            raise PermissionDenied
        try:
            leaders.step_down(stream=stream.name, actor=shown.actor(request))
        except StreamsError as e:
            tell(self, request, e)
        else:
            told = gettext("The leader of %(name)s hands over.") % {"name": stream.name}
            self.message_user(request, told, level=messages.SUCCESS)
        return self._back(pk)

    def accept_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        stream = get_object_or_404(Stream, pk=pk)
        if not self.has_change_permission(request, stream):
            raise PermissionDenied
        self.accept_selected(request, Stream.objects.filter(pk=pk))
        return self._back(pk)

    def refresh_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        stream = get_object_or_404(Stream, pk=pk)
        if not self.has_change_permission(request, stream):
            raise PermissionDenied
        self.refresh_selected(request, Stream.objects.filter(pk=pk))
        return self._back(pk)

    @staticmethod
    def _back(pk: int) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:streams_stream_change", args=[pk]))
