from __future__ import annotations

from django.urls import path

from streams import api

urlpatterns = [
    path("health", api.Health.as_view(), name="health"),
    path("api/v1/status", api.Status.as_view(), name="status"),
    path("api/v1/streams", api.Streams.as_view(), name="streams"),
    path("api/v1/publish", api.Publish.as_view(), name="publish"),
    path("api/v1/nats/info", api.NatsInfo.as_view(), name="nats-info"),
]
