"""The dashboard: one page, filled by its script."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.templatetags.static import static
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from realtime import services


class Dashboard(LoginRequiredMixin, TemplateView):
    template_name = "realtime/dashboard.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"page": page()}


def page() -> dict[str, Any]:
    """Return what the script must know, in the reader's language. It fills the {names}."""
    return {
        "socketPath": "/ws/",
        "accountsPath": "/api/v1/accounts",
        "marketTopics": services.market_topics(),
        "chartLibrary": static("realtime/vendor/lightweight-charts.mjs"),
        "strings": {
            "connecting": _("Connecting…"),
            "live": _("Live"),
            "staleBroker": _("Stale: the server lost its data link at {since} UTC"),
            "staleSilent": _("Stale: the server does not answer since {since} UTC"),
            "reconnecting": _("Reconnecting… No link since {since} UTC"),
            "reconnectingIn": _("Reconnecting in {seconds} s. No link since {since} UTC"),
            "offline": _("Offline since {since} UTC"),
            "signedOut": _("Signed out"),
            # What a source says of an instrument's prices.
            "trouble": {"stale": _("silent"), "disconnect": _("disconnected")},
            "ofAll": _("of {all}"),
            "notDeployed": _("not deployed"),
            "simulated": _("{count} simulated"),
            "hidden": _("The filter hides {count}."),
        },
    }
