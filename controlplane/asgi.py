"""The web process: HTTP to Django, WebSockets to Channels."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
http = get_asgi_application()  # Loads the apps; what follows imports their models.

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import WebsocketDenier  # noqa: E402
from django.conf import settings  # noqa: E402
from django.http.request import validate_host  # noqa: E402

from realtime.routing import websocket_urlpatterns  # noqa: E402

PORTS = {"http": 80, "https": 443}


class OwnOrigin:
    """
    Lets only pages of this site open a WebSocket.

    Channels' own check forgets the port. A cookie has none either: a page of any other program on
    this machine would listen with the session of whoever opens it.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        headers = dict(scope["headers"])
        origin, host = (headers.get(name, b"").decode("latin-1") for name in (b"origin", b"host"))
        inner = self._inner if is_own(origin, host) else WebsocketDenier.as_asgi()
        return await inner(scope, receive, send)


def is_own(origin: str, host: str) -> bool:
    """Return whether a page of `origin` was served by us, under the name of the Host header."""
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    try:
        page = urlsplit(origin)
        name = page.hostname or ""
        name = f"[{name}]" if ":" in name else name
        return validate_host(name, settings.ALLOWED_HOSTS) and _place(page) == _place(
            urlsplit(f"{page.scheme}://{host}")
        )
    except ValueError:
        return False


def _place(url: SplitResult) -> tuple[str | None, int | None]:
    return url.hostname, url.port or PORTS.get(url.scheme)


application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": OwnOrigin(
            AuthMiddlewareStack(URLRouter(websocket_urlpatterns))  # type: ignore[arg-type]  # its stubs want their own class
        ),
    }
)
