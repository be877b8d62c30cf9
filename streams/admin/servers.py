"""Clusters, nodes and TLS files: what the supervisor runs nats-server with."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from streams.admin import configuration, shown
from streams.admin.brokerfiles import BrokerFiles
from streams.admin.certificates import looked_at
from streams.admin.pages import page, reason
from streams.admin.records import Kept
from streams.core.errors import StreamsError
from streams.forms.servers import ClusterForm, NodeForm, TlsFilesForm
from streams.models import Cluster, Node, TlsFiles
from streams.services import servers


@admin.register(TlsFiles)
class TlsFilesAdmin(Kept):
    form = TlsFilesForm
    list_display = ("name", "cert_file", "verify", "condition")
    search_fields = ("name", "cert_file")
    readonly_fields = ("condition",)
    fieldsets = (
        (None, {"fields": ("name", "cert_file", "key_file", "ca_file", "verify", "timeout_s")}),
        (_("Seen by this process"), {"fields": ("condition",)}),
    )

    @admin.display(description=_("condition"))
    def condition(self, files: TlsFiles) -> str:
        return format_html_join(
            "", '<div class="reason">{}</div>',
            ((shown.badge(look.state, look.told),) for look in looked_at(files)),
        )  # fmt: skip

    def get_fieldsets(self, request: HttpRequest, obj: TlsFiles | None = None) -> Any:
        return self.fieldsets if obj else self.fieldsets[:1]


class NodeInline(admin.TabularInline[Node, Cluster]):
    model = Node
    form = NodeForm
    fields = ("name", "enabled", "address", "nats_port", "state")
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Cluster)
class ClusterAdmin(BrokerFiles, Kept):
    form = ClusterForm
    inlines = (NodeInline,)
    list_display = ("name", "node_count", "user_count", "nats_port", "jetstream_enabled",
                    "jetstream_max_storage", "sync_interval")  # fmt: skip
    search_fields = ("name", "cluster_name")

    fieldsets = (
        (None, {"fields": ("name", "auto_start_nats", "auto_create_streams")}),
        (_("Ports"), {"fields": ("host", "nats_port", "http_port", "service_port", "nats_url",
                                 "client_urls")}),
        (_("Cluster"), {"fields": ("cluster_name", "cluster_host", "cluster_port",
                                   "cluster_routes")}),
        (_("JetStream"), {"fields": ("jetstream_enabled", "jetstream_max_memory",
                                     "jetstream_max_storage", "jetstream_max_streams",
                                     "jetstream_max_consumers", "sync_interval", "data_dir")}),
        (_("Limits"), {"fields": ("max_connections", "max_subscriptions", "max_payload",
                                  "write_deadline", "ping_interval", "max_pings_out",
                                  "lame_duck_duration")}),
        (_("TLS"), {"fields": ("client_tls", "route_tls")}),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = rows.annotate(
            node_total=Count("nodes", distinct=True), user_total=Count("users", distinct=True)
        )
        return counted

    def get_inlines(self, request: HttpRequest, obj: Cluster | None) -> Any:
        return self.inlines if obj else ()

    @admin.display(description=_("nodes"), ordering="node_total")
    def node_count(self, cluster: Any) -> str:
        return self._listed("streams_node", cluster, cluster.node_total)

    @admin.display(description=_("users"), ordering="user_total")
    def user_count(self, cluster: Any) -> str:
        return self._listed("streams_brokeruser", cluster, cluster.user_total)

    @staticmethod
    def _listed(model: str, cluster: Cluster, count: int) -> str:
        address = reverse(f"admin:{model}_changelist")
        return format_html(
            '<a href="{}?cluster__id__exact={}">{}</a>', address, cluster.pk, shown.count(count)
        )


@admin.register(Node)
class NodeAdmin(Kept):
    form = NodeForm
    list_display = ("name", "cluster", "enabled", "condition", "started", "pid", "version",
                    "digests", "waits_for", "certificate", "restarts")  # fmt: skip
    list_filter = ("state", "enabled", "cluster")
    list_select_related = ("cluster",)
    search_fields = ("name", "address", "reason")
    actions = ("restart",)
    change_form_template = "admin/streams/node/change_form.html"
    fieldsets = (
        (None, {"fields": ("cluster", "name", "enabled", "address")}),
        (
            _("Instead of what its cluster says"),
            {"fields": ("nats_port", "http_port", "cluster_port", "data_dir", "client_tls",
                        "route_tls")},
        ),
    )  # fmt: skip

    # Columns

    @admin.display(description=_("state"), ordering="state")
    def condition(self, node: Node) -> str:
        told = shown.badge(node.state, node.get_state_display())
        if not node.reason:
            return told
        return format_html('{}<small class="reason">{}</small>', told, node.reason)

    @admin.display(description=_("since"), ordering="since")
    def started(self, node: Node) -> str:
        return shown.moment(node.since)

    @admin.display(description=_("configuration"))
    def digests(self, node: Node) -> str:
        if not node.digest or not node.wanted_digest:
            return shown.NOTHING
        if node.digest == node.wanted_digest:
            return shown.badge("in_sync", gettext("as declared"))
        return shown.badge("out_of_sync", gettext("runs another one"))

    @admin.display(description=_("awaits restart"))
    def waits_for(self, node: Node) -> str:
        if not node.awaits_restart:
            return shown.NOTHING
        return shown.badge("awaits", ", ".join(map(str, node.awaits_restart)))

    @admin.display(description=_("certificate ends"), ordering="certificate_ends_at")
    def certificate(self, node: Node) -> str:
        return shown.moment(node.certificate_ends_at, otherwise=shown.NOTHING)

    # Pages

    def get_readonly_fields(self, request: HttpRequest, obj: Node | None = None) -> Any:
        # Its folders carry the name.
        return ("name", "cluster") if obj else ()

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/configuration/", wrap(self.configuration_view),
                 name="streams_node_configuration"),
            path("<int:pk>/restart/", wrap(require_POST(self.restart_one)),
                 name="streams_node_restart"),
            *super().get_urls(),
        ]  # fmt: skip

    def beside(self, request: HttpRequest, record: Node) -> dict[str, Any]:
        return {
            "node": record,
            "may_change": self.has_change_permission(request, record),
            "facts": [
                (_("State"), self.condition(record)),
                (_("Since"), self.started(record)),
                (_("Process"), record.pid or shown.NOTHING),
                (_("Version"), record.version or shown.NOTHING),
                (_("Configuration"), self.digests(record)),
                (_("Awaits restart"), self.waits_for(record)),
                (_("Restarts"), shown.count(record.restarts)),
                (_("Certificate ends"), self.certificate(record)),
                (_("Seen"), shown.moment(record.seen_at)),
            ],
            "restart_pending": record.restart_wanted > record.restart_done,
        }

    def configuration_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        node = get_object_or_404(Node.objects.select_related("cluster"), pk=pk)
        if not self.has_view_permission(request, node):
            raise PermissionDenied
        text, refusal = "", ""
        try:
            text = configuration.masked(node)
        except StreamsError as e:
            refusal = reason(e)
        return page(
            self, request, "node/configuration.html",
            title=gettext("Rendered configuration"), owner=node, text=text, refusal=refusal,
        )  # fmt: skip

    # Acting

    @admin.action(description=_("Restart"), permissions=["change"])
    def restart(self, request: HttpRequest, nodes: QuerySet[Node]) -> None:
        count = 0
        for node in nodes:
            servers.request_restart(node=node, actor=shown.actor(request))
            count += 1
        told = ngettext("%(count)d restart asked for.", "%(count)d restarts asked for.", count)
        self.message_user(request, told % {"count": count}, level=messages.SUCCESS)

    def restart_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        node = get_object_or_404(Node, pk=pk)
        if not self.has_change_permission(request, node):
            raise PermissionDenied
        self.restart(request, Node.objects.filter(pk=pk))
        return HttpResponseRedirect(reverse("admin:streams_node_change", args=[pk]))
