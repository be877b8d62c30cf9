"""What JetStream itself tells: leaders elected, consumers made, quorum lost."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from streams.admin import shown
from streams.admin.records import DateFilter, Written
from streams.models import Advisory


@admin.register(Advisory)
class AdvisoryAdmin(Written):
    list_display = ("at", "kind", "stream", "consumer", "text")
    list_filter = (("at", DateFilter), "kind")
    search_fields = ("stream", "consumer", "text", "kind")
    fields = ("at", "kind", "stream", "consumer", "text", "whole")
    readonly_fields = fields

    @admin.display(description=_("as the server told it"))
    def whole(self, advisory: Advisory) -> str:
        return shown.block(advisory.data)
