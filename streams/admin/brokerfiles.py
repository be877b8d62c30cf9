"""Takes a cluster from a YAML file in two steps, first what it would do, then it; writes one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from streams.admin import shown
from streams.admin.pages import page, reason, tell
from streams.admin.sealing import Unopened, opened, sealed
from streams.core.errors import StreamsError
from streams.models import Cluster
from streams.services import brokerfiles, servers

# Between the two steps the file travels in the page, sealed: it may hold passwords.
MINUTES = 30
LARGEST_BYTES = 300_000
NEEDED = tuple(
    f"streams.{act}_{model}"
    for act in ("add", "change")
    for model in ("cluster", "node", "brokeruser", "tlsfiles", "stream")
)


class YamlFile(forms.Form):
    cluster = forms.SlugField(
        label=_("Cluster"),
        max_length=64,
        initial=servers.OWN_NODE,
        help_text=_("One that is not there yet is made, with a node of the same name."),
    )
    file = forms.FileField(
        label=_("YAML file"),
        widget=forms.ClearableFileInput(attrs={"accept": ".yaml,.yml,application/yaml"}),
    )

    def clean_file(self) -> str:
        """Return the text of the file."""
        raw = self.cleaned_data["file"].read(LARGEST_BYTES + 1)
        if len(raw) > LARGEST_BYTES:
            raise ValidationError(gettext("At most %(count)d bytes.") % {"count": LARGEST_BYTES})
        try:
            return str(raw.decode("utf-8-sig"))
        except UnicodeDecodeError as e:
            raise ValidationError(gettext("This is no text in UTF-8.")) from e


class BrokerFiles(admin.ModelAdmin[Any]):
    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("import/", wrap(self.import_view), name="streams_cluster_import"),
            path("<int:pk>/export/", wrap(self.export_view), name="streams_cluster_export"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may_import = self.has_import_permission(request)
        return super().changelist_view(request, {"may_import": may_import, **(extra_context or {})})

    def has_import_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perms(NEEDED))

    def has_export_permission(self, request: HttpRequest) -> bool:
        needed = ("streams.view_cluster", "streams.view_brokeruser", "streams.view_stream")
        return bool(request.user.has_perms(needed))

    def export_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        cluster = get_object_or_404(Cluster, pk=pk)
        if not self.has_export_permission(request):
            raise PermissionDenied
        try:
            text = brokerfiles.export_file(cluster=cluster.name)
        except StreamsError as e:
            tell(self, request, e)
            return HttpResponseRedirect(reverse("admin:streams_cluster_change", args=[pk]))
        answer = HttpResponse(
            text,
            content_type="application/yaml; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{cluster.name}.yaml"'},
        )
        add_never_cache_headers(answer)
        return answer

    @method_decorator(sensitive_post_parameters("parcel"))
    def import_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_import_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._yaml_page(request, form=YamlFile())
        if "parcel" in request.POST:
            return self._import_yaml(request)
        form = YamlFile(request.POST, request.FILES)
        if not form.is_valid():
            return self._yaml_page(request, form=form)
        text, cluster = form.cleaned_data["file"], form.cleaned_data["cluster"]
        try:
            report = brokerfiles.import_file(
                text=text, actor=shown.actor(request), cluster=cluster, dry_run=True
            )
        except StreamsError as e:
            return self._yaml_page(request, form=form, refusal=reason(e))
        owner = f"{request.user.pk} {cluster}"
        return self._yaml_page(request, report=report, parcel=sealed(text, owner), cluster=cluster)

    def _import_yaml(self, request: HttpRequest) -> HttpResponse:
        """Do what was shown."""
        cluster = request.POST.get("cluster", "")
        try:
            text = opened(request.POST["parcel"], f"{request.user.pk} {cluster}", MINUTES * 60)
            report = brokerfiles.import_file(text=text, actor=shown.actor(request), cluster=cluster)
        except Unopened:
            again = gettext("This page has ended; choose the file again.")
            return self._yaml_page(request, form=YamlFile(), refusal=again)
        except StreamsError as e:
            # Somebody changed the same records since.
            return self._yaml_page(request, form=YamlFile(), refusal=reason(e))
        done = sum(item.action != "unchanged" for item in report.items)
        told = gettext("%(done)d of %(all)d objects of the file written.")
        self.message_user(
            request, told % {"done": done, "all": len(report.items)}, level=messages.SUCCESS
        )
        if report.without_password:
            without = gettext("Without a password, and so without access: %(names)s")
            names = ", ".join(report.without_password)
            self.message_user(request, without % {"names": names}, level=messages.WARNING)
        return HttpResponseRedirect(reverse("admin:streams_cluster_changelist"))

    def _yaml_page(self, request: HttpRequest, **what: Any) -> HttpResponse:
        return page(self, request, "cluster/import.html", title=gettext("Import YAML"), **what)
