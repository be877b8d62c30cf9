"""Takes streams that NATS has and nobody declared into the records."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext

from streams import services
from streams.admin import shown
from streams.admin.pages import page, reason, tell
from streams.core import advisory
from streams.core.errors import StreamsError
from streams.models import Policy, Stream
from streams.services import importing

# A page of more than these boxes helps nobody; the box above them takes all.
SHOWN = 500


class Taking(admin.ModelAdmin[Any]):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name="streams_stream_import"), *super().get_urls()]

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) and request.user.has_perm(
            "streams.add_streamconsumer"
        )

    def import_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_import_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._take_chosen(request)
        try:
            live = services.live_streams()
        except StreamsError as e:
            return self._import_page(request, refusal=reason(e))
        # Tickplane's own stream is nobody's to declare.
        declared = {advisory.STREAM, *Stream.objects.values_list("name", flat=True)}
        return self._import_page(
            request,
            found=[_row(info) for info in live if info["config"]["name"] not in declared],
        )

    def _take_chosen(self, request: HttpRequest) -> HttpResponse:
        names = None if "all" in request.POST else request.POST.getlist("name")
        policy = request.POST.get("policy", Policy.OBSERVE)
        again = HttpResponseRedirect(reverse("admin:streams_stream_import"))
        if policy not in Policy.values:
            self.message_user(request, gettext("Choose a policy."), level=messages.ERROR)
            return again
        if names is not None and not names:
            self.message_user(request, gettext("Choose a stream."), level=messages.ERROR)
            return again
        try:
            done = importing.import_streams(actor=shown.actor(request), names=names, policy=policy)
        except StreamsError as e:
            tell(self, request, e)
            return again
        told = ngettext("%(count)d record made.", "%(count)d records made.", len(done.created))
        self.message_user(request, told % {"count": len(done.created)}, level=messages.SUCCESS)
        if done.missing:
            gone = gettext("Not in NATS: %(names)s") % {"names": ", ".join(done.missing)}
            self.message_user(request, gone, level=messages.WARNING)
        return HttpResponseRedirect(reverse("admin:streams_stream_changelist"))

    def _import_page(
        self, request: HttpRequest, found: list[dict[str, Any]] | None = None, refusal: str = ""
    ) -> HttpResponse:
        return page(
            self,
            request,
            "stream/import.html",
            title=gettext("Import existing streams"),
            found=None if found is None else found[:SHOWN],
            more=max(0, len(found or ()) - SHOWN),
            refusal=refusal,
            policies=Policy.choices,
            first=Policy.OBSERVE,
        )


def _row(info: dict[str, Any]) -> dict[str, Any]:
    config, state = info["config"], info.get("state") or {}
    return {
        "name": config["name"],
        "subjects": ", ".join(config.get("subjects") or ()),
        "messages": shown.count(state.get("messages", 0)),
        "size": shown.size(state.get("bytes", 0)),
        "consumers": shown.count(state.get("consumer_count", 0)),
    }
