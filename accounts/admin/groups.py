"""Groups, with the intervals, rules and tokens of their accounts; tags."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from accounts import services
from accounts.admin import shown
from accounts.admin.records import Styles
from accounts.admin.rules import RuleInline
from accounts.admin.tokens import TokenIssuer
from accounts.core.schedule import Intervals
from accounts.forms import check_tag, check_text
from accounts.models import Account, AccountGroup, Tag
from accounts.services import audit

INTERVALS = Intervals.__struct_fields__


class Counted(admin.ModelAdmin[Any]):
    """A list that says how many accounts each row has."""

    filter_name = ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).annotate(size=Count("accounts"))
        return rows

    @admin.display(description=_("accounts"), ordering="size")
    def members(self, row: Any) -> str:
        listed = reverse("admin:accounts_account_changelist")
        address = f"{listed}?{self.filter_name}__id__exact={row.pk}"
        return format_html('<a href="{}">{}</a>', address, shown.count(row.size))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        note(request, "delete", obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            note(request, "delete", row)
        super().delete_queryset(request, queryset)


class GroupForm(forms.ModelForm[AccountGroup]):
    class Meta:
        model = AccountGroup
        fields = ("name", *INTERVALS)

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        check_text(name)
        return name


@admin.register(AccountGroup)
class GroupAdmin(TokenIssuer, Counted):
    form = GroupForm
    filter_name = "group"
    list_display = ("name", "members", *INTERVALS)
    search_fields = ("name",)
    inlines = (RuleInline,)
    fieldsets = (
        (None, {"fields": ("name",)}),
        (_("Intervals"), {"fields": INTERVALS, "classes": ("intervals",)}),
    )
    change_form_template = "admin/accounts/accountgroup/change_form.html"

    class Media(Styles):
        pass

    def get_inlines(self, request: HttpRequest, obj: AccountGroup | None) -> Any:
        return self.inlines if obj else ()

    def render_change_form(  # noqa: PLR0913, PLR0917  Django's
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,  # noqa: FBT001, FBT002
        change: bool = False,  # noqa: FBT001, FBT002
        form_url: str = "",
        obj: AccountGroup | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context |= self.token_context(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def save_model(
        self,
        request: HttpRequest,
        obj: AccountGroup,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        super().save_model(request, obj, form, change)
        note(request, "edit" if change else "create", obj, form.changed_data if change else ())
        if change and set(INTERVALS) & set(form.changed_data):
            # Else the old interval would first run its course.
            services.request_snapshots(accounts=Account.objects.filter(group=obj))

    def save_formset(
        self,
        request: HttpRequest,
        form: Any,
        formset: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        super().save_formset(request, form, formset, change)
        RuleInline.note(request, formset)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
        # Tokens and rules go with their group; that nobody deletes a token by hand is no obstacle.
        lacking -= {"account token"}
        return deleted, counts, lacking, protected


class TagForm(forms.ModelForm[Tag]):
    class Meta:
        model = Tag
        fields = ("name",)

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        check_tag(name)
        return name


@admin.register(Tag)
class TagAdmin(Counted):
    form = TagForm
    filter_name = "tags"
    list_display = ("name", "members")
    search_fields = ("name",)

    def save_model(
        self,
        request: HttpRequest,
        obj: Tag,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        super().save_model(request, obj, form, change)
        note(request, "edit" if change else "create", obj, form.changed_data if change else ())


def note(
    request: HttpRequest, action: str, group: AccountGroup | Tag, columns: tuple[str, ...] = ()
) -> None:
    detail = f"{group._meta.verbose_name} {group}"  # noqa: SLF001  Django's public name
    if columns:
        detail = f"{detail}: {', '.join(columns)}"
    audit.note(actor=shown.actor(request), action=action, detail=detail)
