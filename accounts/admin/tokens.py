"""Tokens of accounts and groups: made on their pages and shown once, listed, revoked."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.admin import shown
from accounts.admin.records import DoneFilter, Written
from accounts.models import Account, AccountGroup, AccountToken
from accounts.services import tokens


class NewToken(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("Where it will be used, so that you know later which one to revoke."),
    )


class TokenIssuer(admin.ModelAdmin[Any]):
    """Gives the page of an account, or of a group, its tokens and a way to make one."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.new_token)
        name = f"accounts_{self.opts.model_name}_token"
        return [path("<int:pk>/token/", view, name=name), *super().get_urls()]

    def token_context(self, request: HttpRequest, owner: Account | AccountGroup) -> dict[str, Any]:
        return {
            "tokens": list(owner.tokens.order_by("revoked_at", "-created_at")[:50]),
            "may_issue": self.has_issue_permission(request, owner),
            "may_revoke": request.user.has_perm("accounts.change_accounttoken"),
            "new_token_url": reverse(
                f"admin:accounts_{self.opts.model_name}_token", args=[owner.pk]
            ),
        }

    def has_issue_permission(self, request: HttpRequest, owner: Any) -> bool:
        return self.has_change_permission(request, owner) and request.user.has_perm(
            "accounts.add_accounttoken"
        )

    def new_token(self, request: HttpRequest, pk: int) -> HttpResponse:
        owner = get_object_or_404(self.model, pk=pk)
        if not self.has_issue_permission(request, owner):
            raise PermissionDenied
        form = NewToken(request.POST or None)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "owner": owner,
            "title": gettext("New token"),
            "form": form,
            "media": self.media,
        }
        if request.method == "POST" and form.is_valid():
            # Answered at once and not by way of another address: the secret is kept nowhere.
            _token, context["secret"] = tokens.create(
                account=owner if isinstance(owner, Account) else None,
                group=owner if isinstance(owner, AccountGroup) else None,
                name=form.cleaned_data["name"],
                actor=shown.actor(request),
            )
        page = TemplateResponse(request, "admin/accounts/new_token.html", context)
        add_never_cache_headers(page)
        return page


class RevokedFilter(DoneFilter):
    title = _("state")
    parameter_name = "revoked"
    column = "revoked_at"
    names = (_("Valid"), _("Revoked"))


@admin.register(AccountToken)
class TokenAdmin(Written):
    list_display = (
        "shown_part", "name", "owner", "created_at", "created_by", "used", "condition",
    )  # fmt: skip
    list_filter = (RevokedFilter, "group")
    list_select_related = ("account", "group")
    search_fields = ("name", "prefix", "account__login", "account__server", "group__name")
    actions = ("revoke",)
    fields = (
        "shown_part", "name", "account", "group", "created_at", "created_by", "last_used_at",
        "revoked_at",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description=_("token"), ordering="prefix")
    def shown_part(self, token: AccountToken) -> str:
        return str(token)

    @admin.display(description=_("of"))
    def owner(self, token: AccountToken) -> str:
        if token.account is not None:
            return shown.account_link(token.account)
        return gettext("group %(group)s") % {"group": token.group}

    @admin.display(description=_("last used"), ordering="last_used_at")
    def used(self, token: AccountToken) -> str:
        return shown.moment(token.last_used_at)

    @admin.display(description=_("state"), ordering="revoked_at")
    def condition(self, token: AccountToken) -> str:
        if token.revoked_at is None:
            return shown.badge("valid", gettext("valid"))
        return shown.badge("revoked", gettext("revoked"))

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("accounts.change_accounttoken"))

    @admin.action(description=_("Revoke"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[AccountToken]) -> None:
        actor = shown.actor(request)
        count = sum(
            tokens.revoke(token=token, actor=actor) for token in chosen.select_related("account")
        )
        self.message_user(
            request,
            ngettext("%(count)d token revoked.", "%(count)d tokens revoked.", count)
            % {"count": count}
            if count
            else gettext("Nothing to do: they are revoked already."),
            level=messages.SUCCESS if count else messages.WARNING,
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.revoke_one))
        return [
            path("<int:pk>/revoke/", view, name="accounts_accounttoken_revoke"),
            *super().get_urls(),
        ]

    def revoke_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        token = get_object_or_404(AccountToken.objects.select_related("account", "group"), pk=pk)
        if not self.has_revoke_permission(request):
            raise PermissionDenied
        self.revoke(request, AccountToken.objects.filter(pk=pk))
        if token.account is not None:
            return HttpResponseRedirect(shown.page_of(token.account))
        return HttpResponseRedirect(
            reverse("admin:accounts_accountgroup_change", args=[token.group_id])
        )
