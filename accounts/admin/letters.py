"""Events that consumers refused for good, and the way to send them again."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.admin import shown
from accounts.admin.events import NumberFilter, pretty
from accounts.admin.records import DateFilter, DoneFilter, Written
from accounts.core.errors import PublishError
from accounts.models import DeadLetter
from accounts.services import deadletters


class ReplayedFilter(DoneFilter):
    title = _("replay")
    parameter_name = "replayed"
    column = "replayed_at"
    names = (_("Not replayed"), _("Replayed"))


@admin.register(DeadLetter)
class DeadLetterAdmin(Written):
    list_display = (
        "collected_at", "whose", "number", "kind", "reason", "deaths", "replayed",
    )  # fmt: skip
    list_display_links = ("collected_at",)
    list_filter = (
        ReplayedFilter,
        "reason",
        ("collected_at", DateFilter),
        NumberFilter,
    )
    list_select_related = ("account",)
    search_fields = ("=account__login", "=account__server", "=message_id")
    actions = ("replay",)
    fields = (
        "whose", "number", "kind", "message_id", "reason", "deaths", "collected_at", "replayed_at",
        "message",
    )  # fmt: skip
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[DeadLetter], search_term: str
    ) -> tuple[QuerySet[DeadLetter], bool]:
        return super().get_search_results(request, queryset, search_term.replace("/", " "))

    @admin.display(description=_("account"), ordering="account")
    def whose(self, letter: DeadLetter) -> str:
        return shown.account_link(letter.account)

    @admin.display(description=_("replayed"), ordering="replayed_at")
    def replayed(self, letter: DeadLetter) -> str:
        return shown.moment(letter.replayed_at)

    @admin.display(description=_("message"))
    def message(self, letter: DeadLetter) -> str:
        return pretty(letter.payload)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("accounts.change_deadletter"))

    @admin.action(description=_("Replay"), permissions=["replay"])
    def replay(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> None:
        try:
            count = deadletters.replay(queryset=letters, actor=shown.actor(request))
        except PublishError as e:
            self.message_user(
                request,
                gettext("Nothing was replayed: %(why)s") % {"why": e},
                level=messages.ERROR,
            )
            return
        told = ngettext("%(count)d event replayed.", "%(count)d events replayed.", count)
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, told % {"count": count}, level=level)
