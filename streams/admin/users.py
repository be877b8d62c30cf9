"""Users of NATS: their roles, what these let them do, and their passwords, which are shown once."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from streams.admin import shown
from streams.admin.pages import page, reason
from streams.admin.records import Kept
from streams.core.errors import BadDefinition, StreamsError
from streams.forms.servers import Password, UserForm
from streams.models import BrokerUser
from streams.services import servers


@admin.register(BrokerUser)
class BrokerUserAdmin(Kept):
    form = UserForm
    list_display = ("name", "cluster", "role", "enabled", "has_password", "patterns")
    list_filter = ("role", "enabled", "cluster")
    list_select_related = ("cluster",)
    search_fields = ("name",)
    readonly_fields = ("has_password",)
    change_form_template = "admin/streams/brokeruser/change_form.html"
    fieldsets = (
        (None, {"fields": ("cluster", "name", "enabled", "role", "subjects", "streams"),
                "classes": ("lists",)}),
        (
            _("For the role custom"),
            {"fields": ("publish_allow", "publish_deny", "subscribe_allow", "subscribe_deny"),
             "classes": ("lists",)},
        ),
    )  # fmt: skip

    @admin.display(description=_("password"))
    def has_password(self, user: BrokerUser) -> str:
        if user.password_hash:
            return shown.badge("kept", gettext("set"))
        return shown.badge("absent", gettext("none: cannot log in"))

    @admin.display(description=_("subjects"))
    def patterns(self, user: BrokerUser) -> str:
        return ", ".join(map(str, user.subjects)) or shown.NOTHING

    def get_readonly_fields(self, request: HttpRequest, obj: BrokerUser | None = None) -> Any:
        return ("cluster", "name") if obj else ()

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.password_view)
        return [
            path("<int:pk>/password/", view, name="streams_brokeruser_password"),
            *super().get_urls(),
        ]

    def beside(self, request: HttpRequest, record: BrokerUser) -> dict[str, Any]:
        return {
            "may_change": self.has_change_permission(request, record),
            "password_badge": self.has_password(record),
            **_rendered(record),
        }

    @method_decorator(sensitive_post_parameters("password"))
    def password_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = get_object_or_404(BrokerUser.objects.select_related("cluster"), pk=pk)
        if not self.has_change_permission(request, user):
            raise PermissionDenied
        form = Password(request.POST if request.method == "POST" else None)
        secret, done = "", False
        if request.method == "POST" and form.is_valid():
            try:
                secret = _set(user, form.cleaned_data["password"], shown.actor(request))
                done = True
            except BadDefinition as e:
                form.add_error("password", str(e).partition(": ")[2])
        # Answered at once and not by way of another address: the password is kept nowhere.
        return page(
            self, request, "brokeruser/password.html",
            title=gettext("Set the password"), owner=user, form=form, secret=secret, done=done,
        )  # fmt: skip


def _set(user: BrokerUser, password: str, actor: str) -> str:
    """Return the password that was made; empty where one was typed."""
    if not password:
        return servers.new_password(user=user, actor=actor)
    servers.set_password(user=user, password=password, actor=actor)
    return ""


def _rendered(user: BrokerUser) -> dict[str, Any]:
    """Return what the server will be told that the user may do."""
    try:
        may = servers.permissions_of(user=user)
    except StreamsError as e:
        return {"refusal": reason(e)}
    named = [
        (_("May publish"), may.publish_allow),
        (_("May not publish"), may.publish_deny),
        (_("May subscribe"), may.subscribe_allow),
        (_("May not subscribe"), may.subscribe_deny),
    ]
    return {
        "permissions": [
            (name, format_html_join(" ", "<code>{}</code>", ((each,) for each in found)))
            for name, found in named
        ]
    }
