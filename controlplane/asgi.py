"""The web process: HTTP to Django (a terminal's push takes a short cut), WebSockets to Channels."""

from __future__ import annotations

import asyncio
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

from accounts.api import shortcut  # noqa: E402
from realtime.routing import websocket_urlpatterns  # noqa: E402
from streams.broker import voice  # noqa: E402
from streams.broker.installation import refuse_intruder  # noqa: E402
from streams.core.errors import WrongClient  # noqa: E402

PORTS = {"http": 80, "https": 443}
# Several times what the longest takes, a CSV file of 4 MB: its page should say so in words.
MOST_BODY_BYTES = 16 * 1024 * 1024


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


class Bounded:
    """
    Ends a request whose body no call would take, while it comes in.

    Django writes a body to the disk before a view can say that it is too long, and before anybody
    has asked who sends it.
    """

    def __init__(self, inner: Any, most_bytes: int) -> None:
        self._inner = inner
        self._most_bytes = most_bytes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        taken = 0

        async def counted() -> Any:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            # As if the caller had gone: then Django throws away what it has.
            return message if taken <= self._most_bytes else {"type": "http.disconnect"}

        await self._inner(scope, counted, send)
        if taken > self._most_bytes:
            # A body is read whole before it is answered, so this is the first answer.
            headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 413, "headers": headers})
            await send({"type": "http.response.body", "body": b'{"error":"The body is too long."}'})


async def web(scope: Any, receive: Any, send: Any) -> None:
    await (shortcut.answer if shortcut.is_push(scope["path"]) else http)(scope, receive, send)


async def lifespan(_: Any, receive: Any, send: Any) -> None:
    """Begin and end with the server: refuse a start that cannot work, say that the web is there."""
    while True:
        if (await receive())["type"] == "lifespan.startup":
            try:
                refuse_intruder()
            except WrongClient as e:
                await send({"type": "lifespan.startup.failed", "message": str(e)})
                return
            voice.begin(
                url=settings.NATS_URL,
                service="web",
                log_level=settings.NATS_LOG_LEVEL,
                events=settings.NATS_EVENTS,
            )
            voice.started()
            await send({"type": "lifespan.startup.complete"})
        else:
            await asyncio.to_thread(voice.end)
            await send({"type": "lifespan.shutdown.complete"})
            return


application = ProtocolTypeRouter(
    {
        "lifespan": lifespan,
        "http": Bounded(web, MOST_BODY_BYTES),
        "websocket": OwnOrigin(
            AuthMiddlewareStack(URLRouter(websocket_urlpatterns))  # type: ignore[arg-type]  # its stubs want their own class
        ),
    }
)
