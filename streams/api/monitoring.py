"""The server's own monitoring endpoints, passed on to operators."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework.request import Request
from rest_framework.response import Response

from streams.api.base import AWAY, StreamsView, example
from streams.services import monitoring


def _described(endpoint: str) -> Any:
    # One view serves them all, and each has parameters of its own.
    return extend_schema(
        operation_id=f"nats_monitor_{endpoint}",
        description=f"Return `/{endpoint}` of the NATS server as it answers it, status and all.",
        parameters=[
            OpenApiParameter(name, OpenApiTypes.STR) for name in monitoring.ENDPOINTS[endpoint]
        ],
        responses={
            200: OpenApiResponse(OpenApiTypes.OBJECT, description="As nats-server documents it."),
            503: AWAY,
        },
        examples=[example({"status": "ok"} if endpoint == "healthz" else {"server_id": "N…"})],
    )


class Monitor(StreamsView):
    needs = {"GET": ("streams.view_node",)}
    endpoint = ""

    def get(self, request: Request) -> Response:
        status, found = monitoring.asked(
            endpoint=self.endpoint, parameters=request.query_params.dict()
        )
        return Response(found, status=status)


def views() -> dict[str, Any]:
    """Return a view for each endpoint that may be asked."""
    return {endpoint: _view(endpoint).as_view() for endpoint in monitoring.ENDPOINTS}


def _view(endpoint: str) -> type[Monitor]:
    # Its module is what the scope of a token follows from.
    words = {"endpoint": endpoint, "__module__": __name__}
    made: type[Monitor] = type(f"Monitor{endpoint.capitalize()}", (Monitor,), words)
    return extend_schema_view(get=_described(endpoint))(made)
