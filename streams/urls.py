from __future__ import annotations

from django.urls import path

from streams.api import contract

urlpatterns = [
    path("health", contract.Health.as_view(), name="health"),
    path("api/v1/status", contract.Status.as_view(), name="status"),
    path("api/v1/streams", contract.Streams.as_view(), name="streams"),
    path("api/v1/publish", contract.Publish.as_view(), name="publish"),
    path("api/v1/nats/info", contract.NatsInfo.as_view(), name="nats-info"),
]
