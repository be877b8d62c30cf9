"""Every WebSocket URL."""

from __future__ import annotations

from django.urls import path

from realtime.consumers import TopicConsumer

websocket_urlpatterns = [path("ws/", TopicConsumer.as_asgi())]  # type: ignore[arg-type]
