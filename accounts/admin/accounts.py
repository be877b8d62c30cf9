"""The operator's pages of accounts: the list with its actions, and one account."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts import services
from accounts.admin import shown
from accounts.admin.account_form import AccountForm
from accounts.admin.choosing import Choosing
from accounts.admin.importing import Importing
from accounts.admin.panels import panels
from accounts.admin.records import MOST_DIGITS, Styles, WordsFilter
from accounts.admin.rules import RuleInline
from accounts.admin.tokens import TokenIssuer
from accounts.admin.troubles import troubles
from accounts.core.lifecycle import DELETABLE, Step
from accounts.core.schedule import Intervals
from accounts.models import Account
from accounts.services import audit, exporting, lifecycle, roster

INTERVALS = Intervals.__struct_fields__
# A list shows none of these, and they are most of a row.
HEAVY = ("published", "bar", "trackers", "sealed_password")


@admin.register(Account)
class AccountAdmin(Choosing, Importing, TokenIssuer, admin.ModelAdmin[Account]):
    form = AccountForm
    inlines = (RuleInline,)
    list_display = (
        "name_and_label", "group", "condition", "freshness", "balance", "equity", "last_error",
    )  # fmt: skip
    list_display_links = ("name_and_label",)
    list_filter = (
        ("lifecycle", WordsFilter), ("connection", WordsFilter), "group", "tags", "provider",
        "server", "is_demo",
    )  # fmt: skip
    list_select_related = ("group",)
    show_full_result_count = False
    search_fields = ("server", "login", "label", "uuid")
    ordering = ("server", "login")
    actions = (
        "deploy", "undeploy", "redeploy", "publish_snapshot_now", "set_group", "add_tag",
        "export_csv",
    )  # fmt: skip
    readonly_fields = ("uuid", "kept_password", "created_at", "is_demo")
    fieldsets = (
        (None, {"fields": ("server", "login", "label", "group", "tags")}),
        (_("Where its state comes from"), {"fields": ("provider", "source")}),
        (_("Defaults"), {"fields": ("currency", "leverage")}),
        (_("Intervals"), {"fields": INTERVALS, "classes": ("intervals",)}),
        (
            _("Investor password"),
            {"fields": ("kept_password", "password", "forget_password")},
        ),
        (_("Written by Tickplane"), {"fields": ("uuid", "created_at", "is_demo")}),
    )
    change_form_template = "admin/accounts/account/change_form.html"
    change_list_template = "admin/accounts/account/change_list.html"

    class Media(Styles):
        pass

    # Columns

    @admin.display(description=_("account"), ordering="server")
    def name_and_label(self, account: Account) -> str:
        if not account.label:
            return str(account)
        return format_html("{}<small>{}</small>", account, account.label)

    @admin.display(description=_("state"), ordering="lifecycle")
    def condition(self, account: Account) -> str:
        return format_html(
            "{}<br>{}", shown.badge(account.lifecycle), shown.badge(account.connection)
        )

    @admin.display(description=_("heard / sent"), ordering="last_state_at")
    def freshness(self, account: Account) -> str:
        return format_html(
            "{}<br>{}",
            shown.moment(account.last_state_at),
            shown.moment(account.last_published_at),
        )

    @admin.display(description=_("balance"))
    def balance(self, account: Account) -> str:
        return shown.amount(shown.figures(account).balance)

    @admin.display(description=_("equity"))
    def equity(self, account: Account) -> str:
        figures = shown.figures(account)
        return shown.amount(figures.equity, figures.currency)

    @admin.display(description=_("password"))
    def kept_password(self, account: Account) -> str:
        if account.sealed_password:
            return shown.badge("kept", gettext("kept"))
        return shown.badge("absent", gettext("not kept"))

    # Reading

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        return super().get_queryset(request).defer(*HEAVY)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        server, _slash, login = search_term.strip().rpartition("/")
        if server and login.isascii() and login.isdecimal() and len(login) < MOST_DIGITS:
            # As an account is written everywhere, so that is what people paste.
            return queryset.filter(server=server, login=int(login)), False
        return super().get_search_results(request, queryset, search_term)

    def get_fieldsets(self, request: HttpRequest, obj: Account | None = None) -> Any:
        if obj:
            return self.fieldsets
        # Nothing is kept of an account that is not there yet.
        return (*self.fieldsets[:-2], (_("Investor password"), {"fields": ("password",)}))

    def get_readonly_fields(
        self, request: HttpRequest, obj: Account | None = None
    ) -> tuple[str, ...]:
        # Consumers know the account by these: another login is another account.
        return (*self.readonly_fields, *(("server", "login") if obj else ()))

    def get_inlines(self, request: HttpRequest, obj: Account | None) -> Any:
        return self.inlines if obj else ()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "troubles": troubles(),
            "may_import": self.has_import_permission(request),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    def render_change_form(  # noqa: PLR0913, PLR0917  Django's
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,  # noqa: FBT001, FBT002
        change: bool = False,  # noqa: FBT001, FBT002
        form_url: str = "",
        obj: Account | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context |= panels(obj, may_change=self.has_change_permission(request, obj))
            context |= self.token_context(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    @method_decorator(sensitive_post_parameters("password"))
    def changeform_view(self, *args: Any, **kwargs: Any) -> Any:
        return super().changeform_view(*args, **kwargs)

    # Writing

    def save_model(
        self,
        request: HttpRequest,
        obj: Account,
        form: ModelForm[Account],
        change: bool,  # noqa: FBT001
    ) -> None:
        columns = [f.name for f in self.opts.concrete_fields if f.name in form.changed_data]
        # Only what was typed: the rest of the row was read a while ago, and the workers have
        # written it since.
        obj.save(update_fields=columns if change else None)
        typed = [name for name in form.changed_data if name in (*columns, "tags")]
        if typed or not change:
            audit.note(
                actor=shown.actor(request),
                action="edit" if change else "create",
                account=obj,
                detail=", ".join(typed) if change else "",
            )
        self._save_password(request, obj, form)
        if change and {*INTERVALS, "group", "provider", "source"} & set(columns):
            # Else the old interval would first run its course, or two would write its messages.
            services.request_snapshots(accounts=Account.objects.filter(pk=obj.pk))
        if not change:
            self.message_user(
                request,
                gettext("Nothing is published of a new account until the action Deploy."),
                level=messages.WARNING,
            )

    def _save_password(
        self, request: HttpRequest, account: Account, form: ModelForm[Account]
    ) -> None:
        if password := form.cleaned_data.get("password"):
            roster.keep_password(account=account, password=password, actor=shown.actor(request))
        elif form.cleaned_data.get("forget_password") and account.sealed_password:
            roster.forget_password(account=account, actor=shown.actor(request))

    def save_formset(
        self,
        request: HttpRequest,
        form: ModelForm[Account],
        formset: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        super().save_formset(request, form, formset, change)
        RuleInline.note(request, formset)

    # Deleting

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        # Not Django's own: it would list every event and every minute of history.
        accounts = list(objs)
        refused = [shown.refusals([roster.undeletable(account)])
                   for account in accounts if account.lifecycle not in DELETABLE]  # fmt: skip
        counts = {
            str(model._meta.verbose_name_plural): model.objects.filter(  # type: ignore[attr-defined]  # noqa: SLF001  Django's public name
                account__in=[account.pk for account in accounts]
            ).count()
            for model in self._kept_with_it()
        }
        counts = {str(self.opts.verbose_name_plural): len(accounts), **counts}
        return [str(account) for account in accounts], counts, set(), refused

    @staticmethod
    def _kept_with_it() -> list[type[Model]]:
        return [
            relation.related_model
            for relation in Account._meta.related_objects  # noqa: SLF001  Django's public name
            if relation.on_delete is not None and relation.on_delete.__name__ == "CASCADE"
        ]

    def delete_model(self, request: HttpRequest, obj: Account) -> None:
        self._delete(request, Account.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        self._delete(request, queryset)

    def _delete(self, request: HttpRequest, accounts: QuerySet[Account]) -> None:
        done = roster.delete(accounts=accounts, actor=shown.actor(request))
        if done.refused:
            # Deployed since the page asked whether to delete it.
            raise PermissionDenied(shown.refusals(done.refused))

    # Actions

    @admin.action(description=_("Deploy"), permissions=["change"])
    def deploy(self, request: HttpRequest, accounts: QuerySet[Account]) -> None:
        self._move(request, accounts, Step.DEPLOY)

    @admin.action(description=_("Undeploy"), permissions=["change"])
    def undeploy(self, request: HttpRequest, accounts: QuerySet[Account]) -> None:
        self._move(request, accounts, Step.UNDEPLOY)

    @admin.action(description=_("Redeploy"), permissions=["change"])
    def redeploy(self, request: HttpRequest, accounts: QuerySet[Account]) -> None:
        self._move(request, accounts, Step.REDEPLOY)

    def _move(self, request: HttpRequest, accounts: QuerySet[Account], step: Step) -> None:
        moves = lifecycle.request(accounts=accounts, step=step, actor=shown.actor(request))
        if moves.changed:
            self.message_user(request, _told(step, moves.changed), level=messages.SUCCESS)
        if moves.refused:
            self.message_user(request, shown.refusals(moves.refused), level=messages.WARNING)

    @admin.action(description=_("Publish a snapshot now"), permissions=["change"])
    def publish_snapshot_now(self, request: HttpRequest, accounts: QuerySet[Account]) -> None:
        count = services.request_snapshots(accounts=accounts, actor=shown.actor(request))
        self.message_user(
            request,
            ngettext(
                "%(count)d snapshot follows at the next tick.",
                "%(count)d snapshots follow at the next tick.",
                count,
            )
            % {"count": count}
            if count
            else gettext("Nothing to do: none of them is deployed."),
            level=messages.SUCCESS if count else messages.WARNING,
        )

    @admin.action(description=_("Export CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, accounts: QuerySet[Account]) -> HttpResponse:
        answer = HttpResponse(
            "".join(exporting.exported(accounts=accounts)),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="accounts.csv"'},
        )
        add_never_cache_headers(answer)
        return answer

    # Buttons on the account's own page

    def get_urls(self) -> list[URLPattern]:
        step = self.admin_site.admin_view(require_POST(self.take_step))
        return [
            path("<int:pk>/step/<str:name>/", step, name="accounts_account_step"),
            *super().get_urls(),
        ]

    def take_step(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        account = get_object_or_404(Account, pk=pk)
        if not self.has_change_permission(request, account):
            raise PermissionDenied
        steps = {
            "deploy": self.deploy, "undeploy": self.undeploy, "redeploy": self.redeploy,
            "snapshot": self.publish_snapshot_now,
        }  # fmt: skip
        if name in steps:
            steps[name](request, Account.objects.filter(pk=pk))
        return HttpResponseRedirect(shown.page_of(account))


def _told(step: Step, count: int) -> str:
    told = {
        Step.DEPLOY: ngettext(
            "%(count)d account is being deployed.", "%(count)d accounts are being deployed.", count
        ),
        Step.UNDEPLOY: ngettext(
            "%(count)d account is being undeployed.",
            "%(count)d accounts are being undeployed.",
            count,
        ),
        Step.REDEPLOY: ngettext(
            "%(count)d account begins anew.", "%(count)d accounts begin anew.", count
        ),
    }
    return told[step] % {"count": count}
