"""The audit trail."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin import shown
from accounts.admin.records import DateFilter, Written
from accounts.models import AuditEntry


@admin.register(AuditEntry)
class AuditAdmin(Written):
    list_display = ("at", "actor", "action", "whose", "way", "detail")
    list_filter = (("at", DateFilter), "action")
    list_select_related = ("account",)
    search_fields = ("actor", "account_name", "action", "detail")
    fields = ("at", "actor", "action", "whose", "before", "after", "detail")
    readonly_fields = fields

    @admin.display(description=_("account"), ordering="account_name")
    def whose(self, entry: AuditEntry) -> str:
        return shown.account_link(entry.account, entry.account_name or shown.NOTHING)

    @admin.display(description=_("change"))
    def way(self, entry: AuditEntry) -> str:
        return " → ".join(filter(None, (entry.before, entry.after))) or shown.NOTHING
