"""What happened to an account, and what its consumers refused."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
)
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import examples
from accounts.api.base import AccountsView, NewestFirst, RefusalSerializer, Strict, actor
from accounts.api.filters import LONGEST, Backend, Moment, Whether
from accounts.models import Account, AccountEvent, DeadLetter
from accounts.services import deadletters, queries

MOST_REPLAYED = 1000
LARGEST = 2**63 - 1


@extend_schema_field(OpenApiTypes.OBJECT)
class Payload(serializers.Field[str, Any, Any, Any]):
    """The message as it is sent: its own JSON, letter by letter, or text where it is no JSON."""

    def to_representation(self, value: str) -> msgspec.Raw | str:
        try:
            return msgspec.json.decode(value, type=msgspec.Raw)
        except msgspec.DecodeError:
            return value


class EventSerializer(serializers.Serializer[AccountEvent]):
    number = serializers.IntegerField()
    messageId = serializers.UUIDField(source="message_id")
    kind = serializers.CharField()
    at = serializers.DateTimeField(source="created_at")
    rabbitmqAt = serializers.DateTimeField(source="rabbitmq_at", allow_null=True)
    natsAt = serializers.DateTimeField(source="nats_at", allow_null=True)
    attempts = serializers.IntegerField()
    lastError = serializers.CharField(source="last_error")
    payload = Payload()


class EventFilter(filters.FilterSet):
    """`from` and `to` are numbers of events, both included."""

    kind = filters.CharFilter(max_length=LONGEST)
    since = Moment(field_name="created_at", lookup_expr="gte")


def number(lookup: str) -> filters.NumberFilter:
    return filters.NumberFilter(
        field_name="number",
        lookup_expr=lookup,
        min_value=0,
        max_value=LARGEST,
        max_digits=19,
        decimal_places=0,
        help_text="Number of an event, included.",
    )


# A keyword cannot be an attribute, so these two are not in the class.
EventFilter.base_filters |= {"from": number("gte"), "to": number("lte")}

EVENT = {
    "number": 17,
    "messageId": "2c0a7c5e-4c63-4bb0-9f0e-6f1c8d1b7a55",
    "kind": "position.opened",
    "at": examples.AT,
    "rabbitmqAt": examples.AT,
    "natsAt": examples.AT,
    "attempts": 1,
    "lastError": "",
    "payload": {"type": "position.opened", "login": "261632689", "number": 17},
}


class EventPages(NewestFirst):
    ordering = "-number"


class Events(AccountsView):
    serializer_class = EventSerializer
    pagination_class = EventPages
    filter_backends = [Backend]
    filterset_class = EventFilter
    queryset = AccountEvent.objects.none()  # For the description, which has no account.

    def get_queryset(self) -> QuerySet[AccountEvent]:
        return queries.events(account=self.account())

    @extend_schema(responses={200: EventSerializer(many=True)}, examples=[examples.answered(EVENT)])
    def get(self, request: Request, account_id: UUID) -> Response:
        """List what happened to the account, newest first."""
        return self.listed()


class DeadLetterSerializer(serializers.Serializer[DeadLetter]):
    deadLetterId = serializers.IntegerField(source="pk")
    messageId = serializers.CharField(source="message_id")
    accountId = serializers.UUIDField(source="account.uuid", default=None, allow_null=True)
    number = serializers.IntegerField(allow_null=True)
    kind = serializers.CharField()
    reason = serializers.CharField()
    deaths = serializers.IntegerField()
    collectedAt = serializers.DateTimeField(source="collected_at")
    replayedAt = serializers.DateTimeField(source="replayed_at", allow_null=True)
    payload = Payload()


class DeadLetterFilter(filters.FilterSet):
    accountId = filters.UUIDFilter(field_name="account__uuid")
    kind = filters.CharFilter(max_length=LONGEST)
    replayed = Whether(field_name="replayed_at", lookup_expr="isnull", exclude=True)


class ReplaySerializer(Strict):
    """Which of the dead letters that were not replayed yet; all of them, if nothing is given."""

    accountId = serializers.UUIDField(required=False)

    def get_fields(self) -> dict[str, Any]:
        # A keyword cannot be an attribute.
        return super().get_fields() | {
            name: serializers.IntegerField(
                required=False,
                min_value=0,
                max_value=LARGEST,
                help_text="Number of an event, included.",
            )
            for name in ("from", "to")
        }


class ReplayedSerializer(serializers.Serializer[Any]):
    replayed = serializers.IntegerField(help_text="How many RabbitMQ confirmed.")
    left = serializers.IntegerField(help_text="How many of those asked for still wait.")


DEAD_LETTER = {
    "deadLetterId": 4,
    "messageId": EVENT["messageId"],
    "accountId": examples.ACCOUNT_ID,
    "number": 17,
    "kind": "position.opened",
    "reason": "delivery_limit",
    "deaths": 1,
    "collectedAt": examples.AT,
    "replayedAt": None,
    "payload": EVENT["payload"],
}
AWAY = OpenApiResponse(
    RefusalSerializer,
    description="RabbitMQ takes nothing now.",
    examples=[OpenApiExample("Away", {"error": "RabbitMQ cannot be reached"})],
)


class DeadLetters(AccountsView):
    needs = {"GET": ("accounts.view_deadletter",)}
    serializer_class = DeadLetterSerializer
    pagination_class = NewestFirst
    filter_backends = [Backend]
    filterset_class = DeadLetterFilter

    def get_queryset(self) -> QuerySet[DeadLetter]:
        return queries.dead_letters()

    @extend_schema(
        responses={200: DeadLetterSerializer(many=True)}, examples=[examples.answered(DEAD_LETTER)]
    )
    def get(self, request: Request) -> Response:
        """List the events that consumers refused for good, newest first."""
        return self.listed()


class Replay(AccountsView):
    needs = {"POST": ("accounts.change_deadletter",)}
    serializer_class = ReplayedSerializer

    @extend_schema(
        request=ReplaySerializer,
        responses={200: ReplayedSerializer, 503: AWAY},
        examples=[
            examples.asked({"accountId": examples.ACCOUNT_ID, "from": 10, "to": 20}),
            examples.answered({"replayed": 3, "left": 0}),
        ],
    )
    def post(self, request: Request) -> Response:
        """Send dead letters again, each with its old id, oldest first; at most 1,000 a call."""
        asked = self.asked(ReplaySerializer(data=request.data))
        waiting = _waiting(asked)
        ids = list(waiting.order_by("pk").values_list("pk", flat=True)[:MOST_REPLAYED])
        replayed = deadletters.replay(
            queryset=DeadLetter.objects.filter(pk__in=ids), actor=actor(request)
        ) if ids else 0  # fmt: skip
        return Response({"replayed": replayed, "left": waiting.count()}, status=HTTPStatus.OK)


def _waiting(asked: dict[str, Any]) -> QuerySet[DeadLetter]:
    found = queries.dead_letters().filter(replayed_at=None)
    if "accountId" in asked:
        found = found.filter(account__in=Account.objects.filter(uuid=asked["accountId"]))
    if "from" in asked:
        found = found.filter(number__gte=asked["from"])
    if "to" in asked:
        found = found.filter(number__lte=asked["to"])
    return found
