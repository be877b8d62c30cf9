"""The operator's pages of consumers: how far they are, and what can be done to them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from streams.admin import shown
from streams.admin.pages import page, reason, tell
from streams.admin.panels import panels
from streams.admin.planning import Planning
from streams.admin.records import DeclaredAdmin
from streams.core.errors import StreamsError, Unconfirmed
from streams.core.fields import CONSUMER_FIELDS
from streams.forms.acts import Pause, Removal, Reset, TypedName
from streams.forms.declared import ConsumerForm
from streams.models import Policy, StreamConsumer
from streams.services import lag, purging

MICROSECOND_NS = 1_000

GROUPS = {
    "consumer": _("What it is"),
    "delivery": _("What it delivers"),
    "acknowledgement": _("Acknowledging"),
    "pull": _("Clients that fetch"),
    "push": _("Clients that are pushed to"),
    "life": _("Where and how long it lives"),
    "internal": _("Kept by the server itself"),
}


@admin.register(StreamConsumer)
class ConsumerAdmin(Planning, DeclaredAdmin):
    form = ConsumerForm
    table = CONSUMER_FIELDS
    groups = GROUPS
    own_fields = ("stream", "name", "policy")
    first = frozenset({"delivery", "acknowledgement"})
    list_display = ("name", "stream", "policy_word", "condition", "waiting", "unacknowledged",
                    "redelivered", "active", "paused", "seen")  # fmt: skip
    list_filter: ClassVar[Any] = ("policy", "standing", "stream")
    list_select_related = ("stream",)
    search_fields = ("name", "stream__name")
    actions = ("plan_selected", "accept_selected", "refresh_selected")
    change_form_template = "admin/streams/streamconsumer/change_form.html"
    delete_confirmation_template = "admin/streams/delete_confirmation.html"
    delete_selected_confirmation_template = "admin/streams/delete_selected_confirmation.html"

    # Columns

    @admin.display(description=_("waiting"), ordering="num_pending")
    def waiting(self, consumer: StreamConsumer) -> str:
        return shown.count(consumer.num_pending)

    @admin.display(description=_("unacknowledged"), ordering="num_ack_pending")
    def unacknowledged(self, consumer: StreamConsumer) -> str:
        return shown.count(consumer.num_ack_pending)

    @admin.display(description=_("redelivered"), ordering="num_redelivered")
    def redelivered(self, consumer: StreamConsumer) -> str:
        return shown.count(consumer.num_redelivered)

    @admin.display(description=_("last active"), ordering="last_active_at")
    def active(self, consumer: StreamConsumer) -> str:
        return shown.moment(consumer.last_active_at)

    @admin.display(description=_("paused"), ordering="paused_until")
    def paused(self, consumer: StreamConsumer) -> str:
        if not _is_paused(consumer):
            return shown.NOTHING
        return shown.badge("paused", shown.moment(consumer.paused_until))

    # One consumer

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.select_related("stream")

    def get_readonly_fields(self, request: HttpRequest, obj: StreamConsumer | None = None) -> Any:
        return ("stream", "name") if obj else ()

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/pause/", wrap(self.pause_view), name="streams_streamconsumer_pause"),
            path("<int:pk>/resume/", wrap(require_POST(self.resume_view)),
                 name="streams_streamconsumer_resume"),
            path("<int:pk>/reset/", wrap(self.reset_view), name="streams_streamconsumer_reset"),
            path("<int:pk>/remove/", wrap(self.remove_view), name="streams_streamconsumer_remove"),
            *super().get_urls(),
        ]  # fmt: skip

    def beside(self, request: HttpRequest, record: StreamConsumer) -> dict[str, Any]:
        return {
            **panels(record),
            "consumer": record,
            "facts": self._facts(record),
            "is_paused": _is_paused(record),
            "may_change": self.has_change_permission(request, record),
            "may_remove": self.has_delete_permission(request, record),
        }

    def _facts(self, consumer: StreamConsumer) -> list[tuple[Any, Any]]:
        return [
            (_("Standing"), self.condition(consumer)),
            (_("Waiting"), self.waiting(consumer)),
            (_("Unacknowledged"), self.unacknowledged(consumer)),
            (_("Redelivered"), self.redelivered(consumer)),
            (_("Delivered up to"), shown.count(consumer.delivered_seq)),
            (_("Acknowledged up to"), shown.count(consumer.ack_floor_seq)),
            (_("Last active"), self.active(consumer)),
            (_("Paused"), self.paused(consumer)),
            (_("Seen"), shown.moment(consumer.seen_at)),
            *([(_("Last error"), consumer.last_error)] if consumer.last_error else []),
        ]

    # Acts

    def _consumer(self, request: HttpRequest, pk: int, *, delete: bool = False) -> StreamConsumer:
        consumer = get_object_or_404(StreamConsumer.objects.select_related("stream"), pk=pk)
        may = self.has_delete_permission if delete else self.has_change_permission
        if not may(request, consumer):
            raise PermissionDenied
        return consumer

    def pause_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        consumer = self._consumer(request, pk)
        form = Pause(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            now = timezone.now()
            span = timedelta(microseconds=form.cleaned_data["span"] / MICROSECOND_NS)
            try:
                until = lag.pause(
                    stream=consumer.stream.name,
                    consumer=consumer.name,
                    until=now + span,
                    actor=shown.actor(request),
                    now=now,
                )
            except StreamsError as e:
                form.add_error(None, reason(e))
            else:
                told = gettext("Paused until %(until)s UTC.") % {
                    "until": f"{until:%Y-%m-%d %H:%M:%S}"
                }
                return self._done(request, pk, told)
        return self._page(request, consumer, form, gettext("Pause"), gettext("Pause"), careful="")

    def resume_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        consumer = self._consumer(request, pk)
        try:
            lag.resume(
                stream=consumer.stream.name, consumer=consumer.name, actor=shown.actor(request)
            )
        except StreamsError as e:
            tell(self, request, e)
            return self._back(pk)
        return self._done(request, pk, gettext("It delivers again."))

    def reset_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        consumer = self._consumer(request, pk)
        form = Reset(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                seq = lag.reset(
                    stream=consumer.stream.name,
                    consumer=consumer.name,
                    typed_name=form.cleaned_data["typed_name"],
                    actor=shown.actor(request),
                    now=timezone.now(),
                    seq=form.cleaned_data["seq"],
                )
            except StreamsError as e:
                _refuse(form, e)
            else:
                told = gettext("It goes on from sequence %(seq)s.") % {"seq": seq}
                return self._done(request, pk, told)
        careful = gettext("Its clients get messages again, or never get those it steps over.")
        return self._page(
            request, consumer, form, gettext("Set the position"), gettext("Set the position"),
            careful,
        )  # fmt: skip

    def remove_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        consumer = self._consumer(request, pk, delete=True)
        # Of the others nothing is lost but the position.
        loses = (consumer.stream.live or consumer.stream.given).get("retention") == "interest"
        typed = Removal if loses else TypedName
        form = typed(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                backup = purging.delete_consumer(
                    stream=consumer.stream.name,
                    consumer=consumer.name,
                    typed_name=form.cleaned_data["typed_name"],
                    actor=shown.actor(request),
                    now=timezone.now(),
                    skip_backup=form.cleaned_data.get("skip_backup", False),
                )
            except StreamsError as e:
                _refuse(form, e)
            else:
                if backup is not None:
                    saved = gettext("What was there is in the backup %(backup)s.")
                    self.message_user(request, saved % {"backup": backup})
                told = gettext("%(name)s is deleted in NATS. Its record stays.")
                return self._done(request, pk, told % {"name": consumer.name})
        careful = gettext("Its position is lost: made anew, it begins where its policy says.")
        if loses:
            more = gettext("Messages of its stream that no other consumer waits for are deleted.")
            careful = f"{careful} {more}"
        return self._page(
            request, consumer, form, gettext("Delete in NATS"), gettext("Delete in NATS"), careful
        )

    def _page(  # noqa: PLR0913, PLR0917  what one page says
        self,
        request: HttpRequest,
        consumer: StreamConsumer,
        form: Any,
        title: str,
        button: str,
        careful: str,
    ) -> HttpResponse:
        return page(
            self, request, "streamconsumer/act.html",
            title=title, owner=consumer, form=form, button=button, careful=careful,
            guarded=bool(careful) and consumer.policy != Policy.MANAGE,
        )  # fmt: skip

    def _done(self, request: HttpRequest, pk: int, told: str) -> HttpResponse:
        self.message_user(request, told, level=messages.SUCCESS)
        return self._back(pk)

    @staticmethod
    def _back(pk: int) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:streams_streamconsumer_change", args=[pk]))


def _is_paused(consumer: StreamConsumer) -> bool:
    return consumer.paused_until is not None and consumer.paused_until > timezone.now()


def _refuse(form: Any, error: StreamsError) -> None:
    if isinstance(error, Unconfirmed):
        form.add_error("typed_name", gettext("This is not its name."))
    else:
        form.add_error(None, reason(error))
