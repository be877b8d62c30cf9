"""Purges and deletes streams in NATS: what would go is counted first, and the name typed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from streams.admin import shown
from streams.admin.pages import page, reason
from streams.core.errors import StreamsError, Unconfirmed
from streams.forms.acts import MOST, Erasure, Removal, Which
from streams.models import Policy, Stream
from streams.services import purging


class Removing(admin.ModelAdmin[Any]):
    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/purge/", wrap(self.purge_view), name="streams_stream_purge"),
            path("<int:pk>/remove/", wrap(self.remove_view), name="streams_stream_remove"),
            path(
                "<int:pk>/messages/<int:seq>/remove/",
                wrap(self.remove_message_view),
                name="streams_stream_remove_message",
            ),
            *super().get_urls(),
        ]

    def has_remove_permission(self, request: HttpRequest, stream: Stream) -> bool:
        return self.has_delete_permission(request, stream)

    def _stream(self, request: HttpRequest, pk: int) -> Stream:
        stream = get_object_or_404(Stream, pk=pk)
        if not self.has_remove_permission(request, stream):
            raise PermissionDenied
        return stream

    def purge_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        stream = self._stream(request, pk)
        # What is asked for travels in the address until the name is typed.
        posted = request.method == "POST"
        which = Which(request.POST if posted else request.GET)
        form = Removal(request.POST if posted else None)
        if posted and which.is_valid() and form.is_valid():
            done = self._purge(request, stream, which, form)
            if done is not None:
                return done
        count, refusal = (None, "") if not which.is_valid() else _count(stream, which)
        return page(
            self, request, "stream/purge.html",
            title=gettext("Purge"), owner=stream, which=which, form=form,
            count=count, count_text=shown.count(count or 0),
            refusal=refusal, guarded=stream.policy != Policy.MANAGE,
            hidden=which.chosen() if which.is_valid() else {},
        )  # fmt: skip

    def _purge(
        self, request: HttpRequest, stream: Stream, which: Which, form: Removal
    ) -> HttpResponse | None:
        try:
            done = purging.purge(
                stream=stream.name,
                typed_name=form.cleaned_data["typed_name"],
                actor=shown.actor(request),
                now=timezone.now(),
                skip_backup=form.cleaned_data["skip_backup"],
                **which.chosen(),
            )
        except StreamsError as e:
            _refuse(form, e)
            return None
        told = ngettext("%(count)d message removed.", "%(count)d messages removed.", done.removed)
        self.message_user(request, told % {"count": done.removed}, level=messages.SUCCESS)
        self._tell_backup(request, done)
        return HttpResponseRedirect(reverse("admin:streams_stream_change", args=[stream.pk]))

    def remove_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        stream = self._stream(request, pk)
        form = Removal(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            done = self._remove(request, stream, form)
            if done is not None:
                return done
        count, refusal = _count(stream, None)
        return page(
            self, request, "stream/remove.html",
            title=gettext("Delete in NATS"), owner=stream, form=form,
            count=count, count_text=shown.count(count or 0),
            refusal=refusal, guarded=stream.policy != Policy.MANAGE,
            consumers=stream.consumer_count,
        )  # fmt: skip

    def _remove(self, request: HttpRequest, stream: Stream, form: Removal) -> HttpResponse | None:
        try:
            done = purging.delete_stream(
                stream=stream.name,
                typed_name=form.cleaned_data["typed_name"],
                actor=shown.actor(request),
                now=timezone.now(),
                skip_backup=form.cleaned_data["skip_backup"],
            )
        except StreamsError as e:
            _refuse(form, e)
            return None
        told = gettext(
            "%(name)s is deleted in NATS. Its record stays, so that it can be made anew."
        )
        self.message_user(request, told % {"name": stream.name}, level=messages.SUCCESS)
        self._tell_backup(request, done)
        return HttpResponseRedirect(reverse("admin:streams_stream_change", args=[stream.pk]))

    def remove_message_view(self, request: HttpRequest, pk: int, seq: int) -> HttpResponse:
        stream = self._stream(request, pk)
        if seq > MOST:
            raise Http404
        form = Erasure(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                purging.delete_message(
                    stream=stream.name,
                    seq=seq,
                    typed_name=form.cleaned_data["typed_name"],
                    actor=shown.actor(request),
                    now=timezone.now(),
                    erase=form.cleaned_data["erase"],
                )
            except StreamsError as e:
                _refuse(form, e)
            else:
                told = gettext("Message %(seq)d is removed.") % {"seq": seq}
                self.message_user(request, told, level=messages.SUCCESS)
                return HttpResponseRedirect(reverse("admin:streams_stream_messages", args=[pk]))
        return page(
            self, request, "stream/remove_message.html",
            title=gettext("Remove message %(seq)d") % {"seq": seq}, owner=stream, form=form,
            guarded=stream.policy != Policy.MANAGE,
        )  # fmt: skip

    def _tell_backup(self, request: HttpRequest, done: purging.Purged) -> None:
        if done.backup is not None:
            told = gettext("What was there is in the backup %(backup)s.")
            self.message_user(request, told % {"backup": done.backup})


def _refuse(form: forms.Form, error: StreamsError) -> None:
    if isinstance(error, Unconfirmed):
        form.add_error("typed_name", gettext("This is not its name."))
    else:
        form.add_error(None, reason(error))


def _count(stream: Stream, which: Which | None) -> tuple[int | None, str]:
    """Return how many messages would go; or why that cannot be told."""
    try:
        chosen = {} if which is None else which.chosen()
        return purging.would_remove(stream=stream.name, **chosen), ""
    except StreamsError as e:
        return None, reason(e)
