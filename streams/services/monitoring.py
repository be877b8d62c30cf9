"""
The server's own monitoring endpoints, for operators who cannot reach its port.

Only what is named here is asked for, of the one address in the settings: neither the path nor the
host comes from the caller. What is left out tells of other processes' memory (`stacksz`) or is not
for reading (`ipqueuesz`, `raftz`, `debug`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.utils.translation import gettext as _

from streams.broker import monitoring
from streams.core.errors import BadDefinition

JsonObject = dict[str, Any]

_PAGED = ("offset", "limit")
# Each endpoint with the parameters of its own that nats-server documents.
ENDPOINTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "varz": (),
        "connz": (
            *(
                "sort",
                "auth",
                "subs",
                "cid",
                "state",
                "user",
                "acc",
                "mqtt_client",
                "filter_subject",
            ),
            *_PAGED,
        ),
        "routez": ("subs",),
        "gatewayz": ("accs", "acc_name", "gw_name"),
        "leafz": ("subs",),
        "subsz": ("subs", "test", "acc", *_PAGED),
        "accountz": ("acc",),
        "accstatz": ("unused",),
        "jsz": (
            *("acc", "accounts", "streams", "consumers", "config", "leader-only", "raft"),
            *("stream-leader-only", *_PAGED),
        ),
        "healthz": (
            *("js-enabled-only", "js-server-only", "account", "stream", "consumer", "details"),
        ),
    }
)
LONGEST = 300


def asked(*, endpoint: str, parameters: Mapping[str, str]) -> tuple[int, JsonObject]:
    """
    Return the status and the body of what the server answers at one of `ENDPOINTS`.

    Raises:
        BadDefinition: The endpoint has no such parameter, or its value cannot be.
        BrokerAway: No answer in time, or one that is too long.
    """
    known = ENDPOINTS[endpoint]
    for name, value in parameters.items():
        if name not in known:
            raise BadDefinition(
                name, _("%(endpoint)s knows no such parameter") % {"endpoint": endpoint}
            )
        if len(value) > LONGEST or not value.isprintable():
            raise BadDefinition(
                name, _("give at most %(most)d printable letters") % {"most": LONGEST}
            )
    query = urlencode(parameters, errors="replace")
    path = f"/{endpoint}?{query}" if query else f"/{endpoint}"
    return monitoring.ask(settings.NATS_MONITOR_URL, path)
