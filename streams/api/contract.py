"""The HTTP calls of the message-broker contract."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
from django.conf import settings
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from streams import services
from streams.core.errors import BadDefinition, BadSubject, BrokerError, TooLarge
from streams.core.report import Collector

STARTED_AT = timezone.now()

# Their shape is the contract's, in docs/protocol.md.
ANSWER = {200: OpenApiTypes.OBJECT}
AWAY = OpenApiResponse(OpenApiTypes.OBJECT, description="NATS did not do what was asked.")


class ContractCaller(BasePermission):
    """
    Signed-in staff; or anybody, where the operator opened the contract's calls.

    Open means for programs. A page of another site that makes a visitor's browser call us sends
    its Origin, and is refused.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.user.is_authenticated:
            return bool(request.user.is_staff)
        if not settings.API_ANONYMOUS:
            return False
        origin = request.headers.get("Origin")
        try:
            return origin is None or urlsplit(origin).netloc == request.get_host()
        except ValueError:  # "http://[" is no URL, and no place that we are at.
            return False


class ContractView(APIView):
    permission_classes = [ContractCaller]

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, BrokerError):
            return Response({"error": str(exc)}, status=status.HTTP_503_SERVICE_UNAVAILABLE)
        return super().handle_exception(exc)


class Health(APIView):
    """Liveness, for probes: it needs no credentials and tells nothing but its two states."""

    authentication_classes = []
    permission_classes = []

    @extend_schema(responses={**ANSWER, 503: OpenApiTypes.OBJECT}, auth=[])
    def get(self, request: Request) -> Response:
        ready, body = services.health()
        return Response(body, status=status.HTTP_200_OK if ready else 503)


class Status(ContractView):
    # Whoever puts this into the URLs of a project with collectors says how they are.
    collector: Callable[[datetime], Collector] | None = None

    @extend_schema(responses={**ANSWER, 503: AWAY})
    def get(self, request: Request) -> Response:
        now = timezone.now()
        collector = self.collector(now) if self.collector else None
        return Response(services.status(now=now, started_at=STARTED_AT, collector=collector))


class Streams(ContractView):
    @extend_schema(responses={**ANSWER, 503: AWAY})
    def get(self, request: Request) -> Response:
        return Response({"streams": services.stream_rows()})


class NatsInfo(ContractView):
    @extend_schema(responses={**ANSWER, 503: AWAY})
    def get(self, request: Request) -> Response:
        return Response(services.nats_info())


class PublishRequest(msgspec.Struct):
    """The body of `POST /api/v1/publish`."""

    subject: str
    message: dict[str, Any] | str


class Publish(ContractView):
    @extend_schema(
        request=OpenApiTypes.OBJECT,
        responses={**ANSWER, 400: OpenApiTypes.OBJECT, 503: AWAY},
        examples=[
            OpenApiExample(
                "A message", {"subject": "orders.new", "message": {"id": 7}}, request_only=True
            ),
            OpenApiExample("Published", {"success": True}, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        try:
            asked = msgspec.convert(request.data, PublishRequest)
            services.publish(subject=asked.subject, message=asked.message)
        except msgspec.ValidationError as e:
            return _refused(str(e), status.HTTP_400_BAD_REQUEST)
        except BadDefinition as e:
            return _refused(str(e), status.HTTP_400_BAD_REQUEST)
        except BadSubject as e:
            return _refused(f"subject: {e}", status.HTTP_400_BAD_REQUEST)
        except TooLarge as e:
            return _refused(f"message: {e}", status.HTTP_400_BAD_REQUEST)
        except BrokerError as e:
            return _refused(str(e), status.HTTP_503_SERVICE_UNAVAILABLE)
        return Response({"success": True})

    def handle_exception(self, exc: Exception) -> Response:
        """Whatever stops it, a program finds `success` in the answer."""
        answer = super().handle_exception(exc)
        answer.data = {"success": False, **answer.data}
        return answer


def _refused(reason: str, code: int) -> Response:
    return Response({"success": False, "error": reason}, status=code)
