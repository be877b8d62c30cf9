"""Backups of streams: taken, brought back, deleted."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from streams.admin import shown
from streams.admin.pages import page, reason, tell
from streams.admin.records import DateFilter, Written
from streams.core.errors import StreamsError
from streams.forms.acts import Restoring
from streams.models import Backup, Stream
from streams.services import backups


@admin.register(Backup)
class BackupAdmin(Written):
    list_display = ("at", "stream", "condition", "message_count", "size_text", "actor", "reason",
                    "last_error")  # fmt: skip
    list_filter = (("at", DateFilter), "state")
    search_fields = ("stream", "actor", "reason")
    fields = ("stream", "at", "actor", "reason", "condition", "message_count", "size_text", "file",
              "sha256", "last_error", "configuration")  # fmt: skip
    readonly_fields = fields
    change_form_template = "admin/streams/backup/change_form.html"

    @admin.display(description=_("state"), ordering="state")
    def condition(self, backup: Backup) -> str:
        return shown.badge(backup.state, backup.get_state_display())

    @admin.display(description=_("messages"), ordering="messages")
    def message_count(self, backup: Backup) -> str:
        return shown.count(backup.messages)

    @admin.display(description=_("size"), ordering="size")
    def size_text(self, backup: Backup) -> str:
        return shown.size(backup.size)

    @admin.display(description=_("configuration"))
    def configuration(self, backup: Backup) -> str:
        return shown.block(backup.config)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # One that is being written is its process's.
        running = isinstance(obj, Backup) and obj.state == Backup.State.RUNNING
        return not running and bool(request.user.has_perm("streams.delete_backup"))

    def delete_model(self, request: HttpRequest, obj: Backup) -> None:
        backups.remove(backup=obj, actor=shown.actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Backup]) -> None:
        for backup in queryset:
            backups.remove(backup=backup, actor=shown.actor(request))

    def has_restore_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and bool(
            request.user.has_perms(("streams.add_stream", "streams.change_stream"))
        )

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/restore/", wrap(self.restore_view), name="streams_backup_restore"),
            path("<int:pk>/verify/", wrap(require_POST(self.verify_view)),
                 name="streams_backup_verify"),
            *super().get_urls(),
        ]  # fmt: skip

    def beside(self, request: HttpRequest, record: Backup) -> dict[str, Any]:
        return {
            "may_restore": self.has_restore_permission(request),
            "complete": record.state == Backup.State.DONE,
        }

    def verify_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        backup = get_object_or_404(Backup, pk=pk)
        if not self.has_view_permission(request, backup):
            raise PermissionDenied
        try:
            backups.verify(backup=backup)
        except StreamsError as e:
            tell(self, request, e)
        else:
            told = gettext("The file is what was written.")
            self.message_user(request, told, level=messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:streams_backup_change", args=[pk]))

    def restore_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        backup = get_object_or_404(Backup, pk=pk)
        if not self.has_restore_permission(request):
            raise PermissionDenied
        form = Restoring(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                restored = backups.restore(
                    backup=backup,
                    actor=shown.actor(request),
                    now=timezone.now(),
                    as_name=form.cleaned_data["as_name"] or None,
                    subjects=form.cleaned_data["subjects"],
                )
            except StreamsError as e:
                form.add_error(None, reason(e))
            else:
                told = gettext("%(stream)s is back with %(messages)s messages.")
                words = {"stream": restored.stream, "messages": shown.count(restored.messages)}
                self.message_user(request, told % words, level=messages.SUCCESS)
                return HttpResponseRedirect(reverse("admin:streams_backup_changelist"))
        return page(
            self, request, "backup/restore.html",
            title=gettext("Restore"), owner=backup, form=form,
        )  # fmt: skip


class BackingUp(admin.ModelAdmin[Any]):
    """Gives the page of a stream a button that backs it up."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.backup_view))
        return [path("<int:pk>/backup/", view, name="streams_stream_backup"), *super().get_urls()]

    def has_backup_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and bool(
            request.user.has_perm("streams.add_backup")
        )

    def backup_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        stream = get_object_or_404(Stream, pk=pk)
        if not self.has_backup_permission(request):
            raise PermissionDenied
        try:
            made = backups.backup(
                stream=stream.name,
                actor=shown.actor(request),
                reason=gettext("asked for in the admin"),
                now=timezone.now(),
            )
        except StreamsError as e:
            tell(self, request, e)
        else:
            address = reverse("admin:streams_backup_change", args=[made.pk])
            told = gettext("Backed up: %(messages)s messages, %(size)s.") % {
                "messages": shown.count(made.messages), "size": shown.size(made.size),
            }  # fmt: skip
            link = format_html('{} <a href="{}">{}</a>', told, address, gettext("The backup"))
            self.message_user(request, link, level=messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:streams_stream_change", args=[pk]))
