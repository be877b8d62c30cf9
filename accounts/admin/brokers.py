"""How each broker fares."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin import shown
from accounts.admin.records import Written
from accounts.models import OutletStatus


@admin.register(OutletStatus)
class BrokerAdmin(Written):
    list_display = (
        "name", "condition", "reason", "since", "seen", "confirmed_count", "returned_count",
        "nacked_count", "unknown_count", "shed_count",
    )  # fmt: skip
    fields = (
        "name", "condition", "reason", "since", "seen_at", "confirmed_count", "returned_count",
        "nacked_count", "unknown_count", "shed_count",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description=_("state"), ordering="state")
    def condition(self, broker: OutletStatus) -> str:
        return shown.badge(broker.state, broker.get_state_display())

    @admin.display(description=_("seen"), ordering="seen_at")
    def seen(self, broker: OutletStatus) -> str:
        return shown.moment(broker.seen_at)

    @admin.display(description=_("confirmed"), ordering="confirmed")
    def confirmed_count(self, broker: OutletStatus) -> str:
        return shown.count(broker.confirmed)

    @admin.display(description=_("returned"), ordering="returned")
    def returned_count(self, broker: OutletStatus) -> str:
        return shown.count(broker.returned)

    @admin.display(description=_("nacked"), ordering="nacked")
    def nacked_count(self, broker: OutletStatus) -> str:
        return shown.count(broker.nacked)

    @admin.display(description=_("unknown"), ordering="unknown")
    def unknown_count(self, broker: OutletStatus) -> str:
        return shown.count(broker.unknown)

    @admin.display(description=_("shed"), ordering="shed")
    def shed_count(self, broker: OutletStatus) -> str:
        return shown.count(broker.shed)
