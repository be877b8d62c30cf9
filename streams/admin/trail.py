"""The audit trail of NATS: who changed what, and what was there before."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from streams.admin import differences, shown
from streams.admin.records import DateFilter, Written
from streams.models import BrokerAct


@admin.register(BrokerAct)
class BrokerActAdmin(Written):
    list_display = ("at", "actor", "action", "kind", "name", "detail")
    list_filter = (("at", DateFilter), "kind", "action")
    search_fields = ("actor", "name", "action", "detail")
    fields = ("at", "actor", "action", "kind", "name", "detail", "change", "whole")
    readonly_fields = fields

    @admin.display(description=_("change"))
    def change(self, act: BrokerAct) -> str:
        if act.before is None and act.after is None:
            return shown.NOTHING
        return differences.table(differences.lines(act.before, act.after))

    @admin.display(description=_("after"))
    def whole(self, act: BrokerAct) -> str:
        return shown.block(act.after)
