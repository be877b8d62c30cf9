"""Plan and apply: what would change in NATS, as a review; then exactly that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from streams.admin import shown
from streams.admin.pages import page, reason, tell
from streams.admin.records import plan_address
from streams.core.errors import StreamsError
from streams.core.plan import DOES, Change, Item, Plan
from streams.services import sync

# What an address surely holds; more are planned as all of them.
MOST_NAMES = 50
CONFIRM = "confirm:"
# Of what failed, so many are told one by one.
TOLD = 10

ACTIONS = {
    "in_sync": _("as declared"),
    "create": _("create"),
    "update": _("change"),
    "one_way": _("change, one-way"),
    "adopt": _("take over as it is"),
    "drifted": _("changed by somebody else"),
    "observed": _("differs; only looked at"),
    "refused": _("refused"),
}
EFFECTS = {
    "change": "",
    "one_way": _("cannot be taken back"),
    "destructive": _("loses messages"),
    "refused": _("NATS refuses this"),
    "drift": _("not declared here: left as it is"),
}
OUTCOMES = {"failed": _("failed"), "unconfirmed": _("its name was not typed")}


class Planning(admin.ModelAdmin[Any]):
    """Gives lists of streams and consumers the action “plan”, and has the page that applies one."""

    @admin.action(description=_("Plan and apply…"), permissions=["view"])
    def plan_selected(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
        names = [str(row) for row in chosen]
        if len(names) > MOST_NAMES:
            told = gettext("Choose at most %(most)d, or plan all of them.") % {"most": MOST_NAMES}
            self.message_user(request, told, level=messages.ERROR)
            return None
        return HttpResponseRedirect(plan_address(names))


class PlanPage(Planning):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.plan_view)
        return [path("plan/", view, name="streams_stream_plan"), *super().get_urls()]

    def plan_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        names = (request.POST if request.method == "POST" else request.GET).getlist("name")
        if request.method == "POST":
            return self._apply_plan(request, names)
        try:
            plan = sync.plan(names=names or None)
        except StreamsError as e:
            return self._plan_page(request, names, refusal=reason(e))
        return self._plan_page(request, names, plan=plan)

    def has_apply_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request) and request.user.has_perm(
            "streams.change_streamconsumer"
        )

    def _apply_plan(self, request: HttpRequest, names: list[str]) -> HttpResponse:
        if not self.has_apply_permission(request):
            raise PermissionDenied
        confirm = {
            key.removeprefix(CONFIRM): str(request.POST[key]).strip()
            for key in request.POST
            if key.startswith(CONFIRM) and request.POST[key]
        }
        try:
            applied = sync.apply(
                plan_hash=request.POST.get("plan_hash", ""),
                actor=shown.actor(request),
                now=timezone.now(),
                confirm=confirm,
                names=names or None,
            )
        except StreamsError as e:
            tell(self, request, e)
        else:
            self._report_applied(request, applied)
        return HttpResponseRedirect(plan_address(names))

    def _report_applied(self, request: HttpRequest, applied: sync.Applied) -> None:
        done = [item for item in applied.items if item.outcome == "done"]
        if done:
            told = ngettext("%(count)d change applied.", "%(count)d changes applied.", len(done))
            self.message_user(request, told % {"count": len(done)}, level=messages.SUCCESS)
        for item in done:
            if item.backup:
                told = gettext("Of %(name)s a backup was taken first: %(backup)s")
                self.message_user(request, told % {"name": item.name, "backup": item.backup})
        for item in applied.failed[:TOLD]:
            told = gettext("%(name)s: %(outcome)s. %(why)s") % {
                "name": item.name, "outcome": OUTCOMES.get(item.outcome, item.outcome),
                "why": item.reason,
            }  # fmt: skip
            self.message_user(request, told, level=messages.ERROR)
        if len(applied.failed) > TOLD:
            more = gettext("And %(count)d more.") % {"count": len(applied.failed) - TOLD}
            self.message_user(request, more, level=messages.ERROR)
        if not applied.items:
            self.message_user(request, gettext("There was nothing to do."))

    def _plan_page(
        self, request: HttpRequest, names: Sequence[str], plan: Plan | None = None,
        refusal: str = "",
    ) -> HttpResponse:  # fmt: skip
        items = [] if plan is None else [_item(item) for item in plan.items]
        differing = [item for item in items if item["shown"]]
        return page(
            self,
            request,
            "stream/plan.html",
            title=gettext("Plan"),
            names=names,
            plan=plan,
            undeclared=() if plan is None else plan.undeclared,
            refusal=refusal,
            items=differing,
            in_sync=len(items) - len(differing),
            does=sum(item["does"] for item in items),
            may_apply=self.has_apply_permission(request),
            may_import=self.has_add_permission(request),
        )


def _item(item: Item) -> dict[str, Any]:
    return {
        "item": item,
        "shown": item.differs or item.action == "adopt" or bool(item.warnings),
        "does": item.action in DOES,
        "badge": shown.badge(item.action, ACTIONS.get(item.action, item.action)),
        "policy": shown.POLICIES.get(item.policy, item.policy),
        "confirm": f"{CONFIRM}{item.name}" if item.needs_name and item.action in DOES else "",
        "typed": item.name,
        "lines": [line(change) for change in item.changes or _new(item)],
    }


def _new(item: Item) -> list[Change]:
    """Return what a new object is made with, as changes from nothing."""
    if item.action != "create" or item.body is None:
        return []
    named = ("name", "durable_name")
    return [
        Change(field=field, desired=value) for field, value in item.body.items()
        if field not in named
    ]  # fmt: skip


def line(change: Change) -> dict[str, Any]:
    """Return one field of a review: what is there, what will be, and what there is to say."""
    said = [change.why or str(EFFECTS.get(change.effect, change.effect))]
    if change.effect == "destructive" and change.why:
        said.insert(0, str(EFFECTS["destructive"]))
    if change.drifted and not change.why:
        said.append(gettext("somebody else changed it since the last apply"))
    return {
        "field": change.field,
        "live": None if change.live is None else shown.value(change.field, change.live),
        "desired": None if change.desired is None else shown.value(change.field, change.desired),
        "applied": None if change.applied is None else shown.value(change.field, change.applied),
        "effect": change.effect,
        "said": "; ".join(filter(None, said)),
        "stays": change.effect in ("drift", "refused"),
    }
