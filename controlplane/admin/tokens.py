"""The operator's page of API tokens. A secret is shown once, in the answer that makes it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from controlplane import access
from controlplane.models import ApiToken


class NewToken(forms.ModelForm[ApiToken]):
    scopes = forms.MultipleChoiceField(
        label=_("scopes"),
        choices=[(scope, scope) for scope in access.SCOPES],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("A token never reaches further than its user."),
    )

    class Meta:
        model = ApiToken
        fields = ("user", "name", "scopes", "expires_at")

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if expires_at is not None and expires_at <= timezone.now():
            raise ValidationError(gettext("This moment has passed."))
        return expires_at


@admin.register(ApiToken)
class ApiTokens(admin.ModelAdmin[ApiToken]):
    form = NewToken
    list_display = (
        "shown", "name", "user", "reach", "created_at", "expires_at", "last_used_at", "revoked_at",
    )  # fmt: skip
    # Only users of tokens that may be seen, not all users there are.
    list_filter = (("user", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__username")
    actions = ("revoke",)
    fields = ("user", "name", "scopes", "expires_at")
    readonly_fields = ("created_at", "last_used_at", "revoked_at")

    @admin.display(description=_("token"), ordering="prefix")
    def shown(self, token: ApiToken) -> str:
        return str(token)

    @admin.display(description=_("scopes"))
    def reach(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        tokens = super().get_queryset(request)
        return (
            tokens
            if request.user.is_superuser
            else tokens.filter(user__username=request.user.get_username())
        )

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        if obj is None:
            return self.fields
        return ("shown", "user", "name", "reach", "expires_at", *self.readonly_fields)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        return self.readonly_fields if obj is None else ("shown", "reach", *self.readonly_fields)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "user":
            # Else whoever may make tokens could make one with the rights of somebody else.
            users = User.objects.filter(is_active=True)
            kwargs["queryset"] = (
                users
                if request.user.is_superuser
                else users.filter(username=request.user.get_username())
            )
            kwargs["initial"] = request.user.pk
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        # A token stays what it was made for; it can only end.
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: ApiToken,
        form: ModelForm[ApiToken],
        change: bool,  # noqa: FBT001
    ) -> None:
        asked = form.cleaned_data
        made, secret = access.create(
            user=asked["user"],
            name=asked["name"],
            scopes=asked["scopes"],
            expires_at=asked["expires_at"],
            actor=request.user.get_username(),
            now=timezone.now(),
        )
        obj.pk, obj.prefix = made.pk, made.prefix
        # For `response_add`, in this request; kept nowhere else.
        obj._secret = secret  # type: ignore[attr-defined]  # noqa: SLF001

    def response_add(
        self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        page = TemplateResponse(
            request,
            "admin/controlplane/apitoken/made.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": gettext("The new API token"),
                "token": obj,
                "secret": obj._secret,  # type: ignore[attr-defined]  # noqa: SLF001
            },
        )
        add_never_cache_headers(page)
        return page

    def delete_model(self, request: HttpRequest, obj: ApiToken) -> None:
        self._end(request, [obj])
        obj.delete()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        self._end(request, queryset)
        queryset.delete()

    @admin.action(description=_("Revoke"), permissions=["delete"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[ApiToken]) -> None:
        count = self._end(request, tokens)
        self.message_user(
            request,
            ngettext("%(count)d token revoked.", "%(count)d tokens revoked.", count)
            % {"count": count}
            if count
            else gettext("Nothing to do: they have ended already."),
        )

    def _end(self, request: HttpRequest, tokens: Any) -> int:
        actor, now = request.user.get_username(), timezone.now()
        return sum(access.revoke(token=token, actor=actor, now=now) for token in tokens)
