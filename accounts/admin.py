"""The operator's page of accounts."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts import services
from accounts.models import Account


@admin.register(Account)
class AccountAdmin(admin.ModelAdmin[Account]):
    list_display = (
        "login", "server", "label", "lifecycle", "balance", "equity", "freshness", "last_error",
    )  # fmt: skip
    list_display_links = ("login",)
    list_filter = ("lifecycle", "connection", "group", "provider", "server", "is_demo")
    search_fields = ("server", "login", "label")
    ordering = ("server", "login")
    actions = ("deploy", "undeploy", "publish_snapshot_now")
    readonly_fields = (
        "lifecycle", "balance", "equity", "freshness", "last_published_at", "last_error", "is_demo",
        "uuid",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("server", "login", "label", "provider")}),
        (_("Defaults"), {"fields": ("currency", "leverage")}),
        (
            _("Written by Tickplane"),
            {
                "fields": readonly_fields,
                "description": _("The actions of the list deploy an account and undeploy it."),
            },
        ),
    )

    @admin.display(description=_("balance"))
    def balance(self, account: Account) -> str:
        return _amount(account, "balance")

    @admin.display(description=_("equity"))
    def equity(self, account: Account) -> str:
        return _amount(account, "equity")

    @admin.display(description=_("heard"), ordering="last_state_at")
    def freshness(self, account: Account) -> str:
        if account.last_state_at is None:
            return gettext("never")
        age = timezone.now() - account.last_state_at
        if age.total_seconds() < 60:  # noqa: PLR2004  timesince counts minutes
            return gettext("%(age).0f s ago") % {"age": max(0.0, age.total_seconds())}
        return gettext("%(age)s ago") % {"age": timesince(account.last_state_at)}

    def get_fieldsets(self, request: HttpRequest, obj: Account | None = None) -> Any:
        # Nothing is written about an account that is not there yet.
        return self.fieldsets if obj else self.fieldsets[:-1]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Account | None = None
    ) -> tuple[str, ...]:
        # Consumers know the account by these: another login is another account.
        return (*self.readonly_fields, *(("server", "login") if obj else ()))

    def save_model(
        self,
        request: HttpRequest,
        obj: Account,
        form: ModelForm[Account],
        change: bool,  # noqa: FBT001
    ) -> None:
        # Only what was typed: the rest of the row was read a while ago, and the workers have
        # written it since.
        obj.save(update_fields=form.changed_data if change else None)
        if not change:
            self.message_user(
                request,
                gettext("Nothing is published of a new account until the action Deploy."),
                level=messages.WARNING,
            )

    @admin.action(description=_("Deploy"))
    def deploy(self, request: HttpRequest, accounts: QuerySet[Account]) -> None:
        count = services.deploy(accounts=accounts)
        self.message_user(
            request,
            ngettext("%(count)d account deployed.", "%(count)d accounts deployed.", count)
            % {"count": count}
            if count
            else gettext("Nothing to do: they are deployed already."),
        )

    @admin.action(description=_("Undeploy"))
    def undeploy(self, request: HttpRequest, accounts: QuerySet[Account]) -> None:
        count = services.undeploy(accounts=accounts)
        self.message_user(
            request,
            ngettext("%(count)d account undeployed.", "%(count)d accounts undeployed.", count)
            % {"count": count}
            if count
            else gettext("Nothing to do: none of them is deployed."),
        )

    @admin.action(description=_("Publish a snapshot now"))
    def publish_snapshot_now(self, request: HttpRequest, accounts: QuerySet[Account]) -> None:
        count = services.request_snapshots(accounts=accounts)
        self.message_user(
            request,
            ngettext(
                "%(count)d snapshot follows at the next tick.",
                "%(count)d snapshots follow at the next tick.",
                count,
            )
            % {"count": count},
        )


def _amount(account: Account, name: str) -> str:
    values: dict[str, Any] = json.loads(account.state or "{}")
    amount = values.get(name)
    if amount is None:
        return "–"  # noqa: RUF001
    written = number_format(amount, force_grouping=True)
    return f"{written} {values.get('currency', account.currency)}"
