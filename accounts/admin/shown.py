"""How states, moments and amounts look on every page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import msgspec
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Account
from accounts.services.lifecycle import Refusal

NOTHING = "–"  # noqa: RUF001  a dash where there is no value
MINUTE_S = 60
# Of those that refuse an action, so many are named.
NAMED = 5


class Figures(msgspec.Struct, rename="camel"):
    """What a list shows of a stored state."""

    balance: Decimal | None = None
    equity: Decimal | None = None
    currency: str = "USD"


_figures = msgspec.json.Decoder(Figures).decode


def figures(account: Account) -> Figures:
    try:
        return _figures(account.state) if account.state else Figures()
    except msgspec.MsgspecError:
        return Figures()


def amount(value: Decimal | None, currency: str = "") -> str:
    if value is None:
        return NOTHING
    return f"{number_format(value, force_grouping=True)} {currency}".rstrip()


def count(value: int) -> str:
    return number_format(value, force_grouping=True)


def badge(state: str, label: str = "") -> SafeString:
    """Return a state as an icon, a word and a colour: see admin.css."""
    name = state.lower().replace("_", "-")
    return format_html('<span class="state state-{}">{}</span>', name, label or words(state))


def words(state: str) -> str:
    """Return a state of core.lifecycle as a person writes it."""
    return str(WORDS.get(state, state))


def moment(at: datetime | None, otherwise: str = "") -> SafeString | str:
    """Return how long ago that was; the exact time shows on pointing at it."""
    if at is None:
        return otherwise or gettext("never")
    age_s = (timezone.now() - at).total_seconds()
    if age_s < MINUTE_S:
        told = gettext("%(age).0f s ago") % {"age": max(0.0, age_s)}
    else:
        told = gettext("%(age)s ago") % {"age": timesince(at)}
    exact = date_format(timezone.localtime(at), "Y-m-d H:i:s")
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, told)


def account_link(account: Account | None, otherwise: str = NOTHING) -> SafeString | str:
    if account is None:
        return otherwise
    return format_html('<a href="{}">{}</a>', page_of(account), account)


def page_of(account: Account) -> str:
    return reverse("admin:accounts_account_change", args=[account.pk])


def actor(request: HttpRequest) -> str:
    """Return who is written down for what this request does."""
    return str(request.user.get_username())


def refusals(refused: Iterable[Refusal]) -> str:
    """Return why accounts refused an action; empty when none did."""
    refused = list(refused)
    told = "; ".join(f"{refusal.account}: {refusal.reason}" for refusal in refused[:NAMED])
    if len(refused) > NAMED:
        more = gettext("and %(count)d more") % {"count": len(refused) - NAMED}
        told = f"{told}; {more}"
    return told


WORDS = {
    "DRAFT": _("Draft"),
    "DEPLOYING": _("Deploying"),
    "DEPLOYED": _("Deployed"),
    "DEPLOY_FAILED": _("Deploy failed"),
    "UNDEPLOYING": _("Undeploying"),
    "UNDEPLOYED": _("Undeployed"),
    "UNDEPLOY_FAILED": _("Undeploy failed"),
    "CONNECTED": _("Connected"),
    "STALE": _("Stale"),
    "DISCONNECTED": _("Disconnected"),
}
STEP_NAMES = {"deploy": _("Deploy"), "undeploy": _("Undeploy"), "redeploy": _("Redeploy")}
