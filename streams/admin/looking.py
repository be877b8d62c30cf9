"""Looks into a stream, and publishes a test message to it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext

from streams import services
from streams.admin import shown
from streams.admin.pages import page, reason
from streams.core.errors import StreamsError
from streams.forms.acts import NewMessage, Sieve
from streams.models import Stream
from streams.services import audit, browsing

PER_PAGE = 20


class Looking(admin.ModelAdmin[Any]):
    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/messages/", wrap(self.messages_view), name="streams_stream_messages"),
            path("<int:pk>/publish/", wrap(self.publish_view), name="streams_stream_publish"),
            *super().get_urls(),
        ]

    def messages_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        stream = get_object_or_404(Stream, pk=pk)
        if not self.has_view_permission(request, stream):
            raise PermissionDenied
        form = Sieve(request.GET)
        found, refusal = None, ""
        if form.is_valid():
            try:
                found = _found(stream, form.cleaned_data)
            except StreamsError as e:
                refusal = reason(e)
        return page(
            self,
            request,
            "stream/messages.html",
            title=gettext("Messages"),
            owner=stream,
            form=form,
            found=found,
            count_text=shown.count(found.messages) if found else "",
            refusal=refusal,
            rows=[_row(row) for row in found.rows] if found else [],
            further=_further(form.cleaned_data, found) if found else {},
            may_publish=self.has_change_permission(request, stream),
            may_remove=self.has_delete_permission(request, stream),
        )

    def publish_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        stream = get_object_or_404(Stream, pk=pk)
        if not self.has_change_permission(request, stream):
            raise PermissionDenied
        data = request.POST if request.method == "POST" else None
        form = NewMessage(data, patterns=stream.subjects)
        if request.method == "POST" and form.is_valid():
            try:
                _publish(stream, form.cleaned_data, shown.actor(request))
            except StreamsError as e:
                form.add_error(None, reason(e))
            else:
                told = gettext("Published to %(subject)s.")
                self.message_user(
                    request,
                    told % {"subject": form.cleaned_data["subject"]},
                    level=messages.SUCCESS,
                )
                return HttpResponseRedirect(reverse("admin:streams_stream_messages", args=[pk]))
        return page(
            self,
            request,
            "stream/publish.html",
            title=gettext("Publish a test message"),
            owner=stream,
            form=form,
        )


def _found(stream: Stream, asked: dict[str, Any]) -> browsing.Page:
    return browsing.messages(
        stream=stream.name,
        start_seq=asked["seq"],
        subject=asked["subject"] or None,
        since=asked["since"],
        limit=PER_PAGE,
        backwards=asked["way"] != "oldest",
    )


def _publish(stream: Stream, typed: dict[str, Any], actor: str) -> None:
    services.publish(subject=typed["subject"], message=typed["value"])
    # Who published and where; the message itself is in the stream.
    audit.note(
        actor=actor, action="publish", kind="stream", name=stream.name, detail=typed["subject"]
    )


def _row(row: browsing.Row) -> dict[str, Any]:
    decoded = row.kind in ("json", "protobuf") and not isinstance(row.shown, str)
    return {
        "row": row,
        "size": shown.size(row.size),
        "headers": [(name, ", ".join(values)) for name, values in row.headers.items()],
        "text": shown.pretty(row.shown) if decoded else str(row.shown),
    }


def _further(asked: dict[str, Any], found: browsing.Page) -> dict[str, str]:
    """Return the addresses of the page in the same direction, and of the one in the other."""
    backwards = asked["way"] != "oldest"
    way, other = ("newest", "oldest") if backwards else ("oldest", "newest")
    links = {}
    if found.next_seq is not None:
        links["older" if backwards else "newer"] = _query(asked, found.next_seq, way)
    if found.rows:
        turned = found.rows[0].seq + (1 if backwards else -1)
        if found.first_seq <= turned <= found.last_seq:
            links["newer" if backwards else "older"] = _query(asked, turned, other)
    return links


def _query(asked: dict[str, Any], seq: int, way: str) -> str:
    named = {"seq": seq, "subject": asked["subject"], "way": way}
    return "?" + urlencode({name: value for name, value in named.items() if value})
