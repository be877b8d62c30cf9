"""Rules that raise alerts, on the pages of their account or group and on one of their own."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin import shown
from accounts.models import Account, Rule
from accounts.services import audit, rules


class RuleForm(forms.ModelForm[Rule]):
    class Meta:
        model = Rule
        fields = ["name", "kind", "basis", "unit", "threshold", "level", "enabled"]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        # The table refuses these too, in words that help nobody.
        if (self.cleaned_data.get("kind"), self.cleaned_data.get("basis")) == ("profit", "peak"):
            self.add_error("basis", gettext("A profit has no peak: choose another start."))
        threshold = self.cleaned_data.get("threshold")
        if threshold is not None and threshold <= 0:
            self.add_error("threshold", gettext("Must be more than zero."))
        return cleaned


class RuleOfAnyForm(RuleForm):
    class Meta(RuleForm.Meta):
        fields = [*RuleForm.Meta.fields, "account", "group"]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        owners = [self.cleaned_data.get("account"), self.cleaned_data.get("group")]
        if owners.count(None) != 1 and not {"account", "group"} & set(self.errors):
            raise ValidationError(
                {"group": gettext("A rule is of one account or of one group: choose one.")}
            )
        return cleaned


class RuleInline(admin.TabularInline[Rule, Any]):
    model = Rule
    form = RuleForm
    extra = 0

    @staticmethod
    def note(request: HttpRequest, formset: Any) -> None:
        """Write down what became of an owner's rules."""
        acts = [
            *(("create", rule) for rule in formset.new_objects),
            *(("edit", rule) for rule, _changed in formset.changed_objects),
            *(("delete", rule) for rule in formset.deleted_objects),
        ]
        for action, rule in acts:
            note(request, action, rule)


@admin.register(Rule)
class RuleAdmin(admin.ModelAdmin[Rule]):
    form = RuleOfAnyForm
    list_display = ("name", "owner", "kind", "basis", "threshold", "unit", "level", "enabled")
    list_filter = ("enabled", "kind", "level", "group")
    list_select_related = ("account", "group")
    search_fields = ("name", "account__login", "account__server", "group__name")
    # A list of thousands of accounts would be the page; their own page is the better way here.
    raw_id_fields = ("account",)

    @admin.display(description=_("of"))
    def owner(self, rule: Rule) -> str:
        if rule.account is not None:
            return shown.account_link(rule.account)
        return gettext("group %(group)s") % {"group": rule.group}

    def save_model(
        self,
        request: HttpRequest,
        obj: Rule,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        super().save_model(request, obj, form, change)
        note(request, "edit" if change else "create", obj)

    def delete_model(self, request: HttpRequest, obj: Rule) -> None:
        note(request, "delete", obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        for rule in queryset.select_related("account", "group"):
            note(request, "delete", rule)
        super().delete_queryset(request, queryset)


def note(request: HttpRequest, action: str, rule: Rule) -> None:
    """Write a change of a rule down, and let this process judge by it at once."""
    account: Account | None = rule.account
    whose = "" if account else gettext(" of group %(group)s") % {"group": rule.group}
    detail = gettext("rule %(rule)s") % {"rule": rule} + whose
    audit.note(actor=shown.actor(request), action=action, account=account, detail=detail)
    rules.forget()
