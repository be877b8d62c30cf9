"""The records of streams and consumers, plans, and taking over what NATS has."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from streams.api.base import (
    AT,
    MOST_ITEMS,
    Backend,
    Configuration,
    Pages,
    StreamsView,
    Strict,
    actor,
    describes,
    describes_all,
    describes_one,
    line,
    rights,
    text,
    texts,
)
from streams.core.plan import Item
from streams.models import Policy, Standing, Stream, StreamConsumer
from streams.services import importing, records, sync

CONFIGURATION = "In JetStream's own words and units; a field that is left out is the server's."


class DeclaredChangeSerializer(Strict):
    """What may be changed. A configuration is given whole, with what shall stay."""

    config = Configuration(required=False, help_text=CONFIGURATION)
    policy = serializers.ChoiceField(choices=Policy.choices, required=False)


class DeclaredSerializer(DeclaredChangeSerializer):
    """The record and, below, how what NATS has compares with it."""

    standing = serializers.CharField(read_only=True)
    drift = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="The fields that differ."
    )
    live = Configuration(read_only=True, help_text="What NATS has, as it says it.")
    seenAt = serializers.DateTimeField(source="seen_at", read_only=True, allow_null=True)
    lastError = serializers.CharField(source="last_error", read_only=True)


class NewStreamSerializer(DeclaredChangeSerializer):
    name = text(max_length=255)


class StreamSerializer(DeclaredSerializer):
    name = text(max_length=255)
    messages = serializers.IntegerField(read_only=True)
    bytes = serializers.IntegerField(read_only=True)
    firstSeq = serializers.IntegerField(source="first_seq", read_only=True)
    lastSeq = serializers.IntegerField(source="last_seq", read_only=True)
    consumerCount = serializers.IntegerField(source="consumer_count", read_only=True)


class NewConsumerSerializer(DeclaredChangeSerializer):
    name = text(max_length=255)


class ConsumerSerializer(DeclaredSerializer):
    name = text(max_length=255)
    stream = serializers.CharField(source="stream.name", read_only=True)
    waiting = serializers.IntegerField(source="num_pending", read_only=True)
    unacknowledged = serializers.IntegerField(source="num_ack_pending", read_only=True)
    redelivered = serializers.IntegerField(source="num_redelivered", read_only=True)
    deliveredSeq = serializers.IntegerField(source="delivered_seq", read_only=True)
    ackFloorSeq = serializers.IntegerField(source="ack_floor_seq", read_only=True)
    lastActiveAt = serializers.DateTimeField(
        source="last_active_at", read_only=True, allow_null=True
    )
    pausedUntil = serializers.DateTimeField(source="paused_until", read_only=True, allow_null=True)


COMPARED = {
    "policy": "manage",
    "standing": "in_sync",
    "drift": [],
    "seenAt": AT,
    "lastError": "",
}
STREAM_CONFIG = {"subjects": ["market.>"], "max_age": 3_600_000_000_000, "max_msgs": 1_000_000}
STREAM = {
    "name": "MARKET_DATA",
    "config": STREAM_CONFIG,
    "live": STREAM_CONFIG,
    **COMPARED,
    "messages": 10_000,
    "bytes": 5_242_880,
    "firstSeq": 1,
    "lastSeq": 10_000,
    "consumerCount": 2,
}
CONSUMER_CONFIG = {"ack_policy": "explicit", "filter_subject": "market.okx.>"}
CONSUMER = {
    "name": "desk",
    "stream": "MARKET_DATA",
    "config": CONSUMER_CONFIG,
    "live": CONSUMER_CONFIG,
    **COMPARED,
    "waiting": 12,
    "unacknowledged": 3,
    "redelivered": 0,
    "deliveredSeq": 9_988,
    "ackFloorSeq": 9_985,
    "lastActiveAt": AT,
    "pausedUntil": None,
}


class DeclaredFilter(filters.FilterSet):
    q = line(field_name="name", lookup_expr="icontains", help_text="Part of the name.")
    policy = filters.MultipleChoiceFilter(choices=Policy.choices)
    standing = filters.MultipleChoiceFilter(choices=Standing.choices)


@describes_all(
    "the declared streams",
    StreamSerializer,
    STREAM,
    NewStreamSerializer,
    {"name": "ORDERS", "config": {"subjects": ["orders.>"], "max_msgs": 100_000}},
)
class Streams(StreamsView):
    needs = rights("stream")
    serializer_class = StreamSerializer
    pagination_class = Pages
    filter_backends = [Backend]
    filterset_class = DeclaredFilter

    def get_queryset(self) -> QuerySet[Stream]:
        return Stream.objects.all()

    def get(self, request: Request) -> Response:
        return self.listed()

    def post(self, request: Request) -> Response:
        asked = self.asked(NewStreamSerializer(data=request.data))
        row = records.keep_declared(record=Stream(), values=asked, actor=actor(request))
        return Response(StreamSerializer(row).data, status=HTTPStatus.CREATED)


class OfStream(StreamsView):
    """A call about one declared stream."""

    def stream(self) -> Stream:
        found: Stream = self.one(Stream.objects.all(), name=self.kwargs["stream"])
        return found


@describes_one(
    "the declared streams",
    StreamSerializer,
    STREAM,
    DeclaredChangeSerializer,
    {"config": {"subjects": ["orders.>"], "max_msgs": 200_000}},
)
class StreamDetail(OfStream):
    needs = rights("stream")
    serializer_class = StreamSerializer

    def get(self, request: Request, stream: str) -> Response:
        return Response(StreamSerializer(self.stream()).data)

    def patch(self, request: Request, stream: str) -> Response:
        asked = self.asked(DeclaredChangeSerializer(data=request.data))
        row = records.keep_declared(record=self.stream(), values=asked, actor=actor(request))
        return Response(StreamSerializer(row).data)

    def delete(self, request: Request, stream: str) -> Response:
        records.delete(record=self.stream(), actor=actor(request))
        return Response(status=HTTPStatus.NO_CONTENT)


@describes_all(
    "the declared consumers of a stream",
    ConsumerSerializer,
    CONSUMER,
    NewConsumerSerializer,
    {"name": "desk", "config": CONSUMER_CONFIG},
)
class Consumers(OfStream):
    needs = rights("streamconsumer")
    serializer_class = ConsumerSerializer
    pagination_class = Pages
    filter_backends = [Backend]
    filterset_class = DeclaredFilter

    def get_queryset(self) -> QuerySet[StreamConsumer]:
        if getattr(self, "swagger_fake_view", False):
            return StreamConsumer.objects.none()
        return self.stream().consumers.select_related("stream")

    def get(self, request: Request, stream: str) -> Response:
        return self.listed()

    def post(self, request: Request, stream: str) -> Response:
        asked = self.asked(NewConsumerSerializer(data=request.data))
        record = StreamConsumer(stream=self.stream())
        row = records.keep_declared(record=record, values=asked, actor=actor(request))
        return Response(ConsumerSerializer(row).data, status=HTTPStatus.CREATED)


class OfConsumer(OfStream):
    """A call about one declared consumer."""

    def consumer(self) -> StreamConsumer:
        rows = StreamConsumer.objects.select_related("stream")
        found: StreamConsumer = self.one(
            rows, stream__name=self.kwargs["stream"], name=self.kwargs["consumer"]
        )
        return found


@describes_one(
    "the declared consumers of a stream",
    ConsumerSerializer,
    CONSUMER,
    DeclaredChangeSerializer,
    {"policy": "protect"},
)
class ConsumerDetail(OfConsumer):
    needs = rights("streamconsumer")
    serializer_class = ConsumerSerializer

    def get(self, request: Request, stream: str, consumer: str) -> Response:
        return Response(ConsumerSerializer(self.consumer()).data)

    def patch(self, request: Request, stream: str, consumer: str) -> Response:
        asked = self.asked(DeclaredChangeSerializer(data=request.data))
        row = records.keep_declared(record=self.consumer(), values=asked, actor=actor(request))
        return Response(ConsumerSerializer(row).data)

    def delete(self, request: Request, stream: str, consumer: str) -> Response:
        records.delete(record=self.consumer(), actor=actor(request))
        return Response(status=HTTPStatus.NO_CONTENT)


class FieldChangeSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    desired = Configuration()
    applied = Configuration()
    live = Configuration()
    effect = serializers.CharField()
    why = serializers.CharField()


class ItemSerializer(serializers.Serializer[Item]):
    kind = serializers.CharField()
    name = serializers.CharField()
    policy = serializers.CharField()
    action = serializers.CharField()
    standing = serializers.CharField()
    changes = FieldChangeSerializer(many=True)
    destructive = serializers.BooleanField()
    needsName = serializers.BooleanField(source="needs_name")
    reasons = serializers.ListField(child=serializers.CharField())
    warnings = serializers.ListField(child=serializers.CharField())


class PlanSerializer(serializers.Serializer[Any]):
    hash = serializers.CharField(help_text="What `apply` takes.")
    differs = serializers.BooleanField()
    level = serializers.IntegerField(help_text="The server's API level.")
    items = ItemSerializer(many=True)
    undeclared = serializers.ListField(child=serializers.CharField())


NAMES = "Of streams (with their consumers) or consumers (STREAM/consumer); without it: all."


class NamesSerializer(Strict):
    names = texts(required=False, allow_null=True, default=None, help_text=NAMES)


class ApplySerializer(NamesSerializer):
    hash = text(max_length=128)
    confirm = serializers.DictField(
        child=text(max_length=600),
        required=False,
        default=dict,
        help_text="By the item's name the name again: destructive and one-way changes need it.",
    )

    def validate_confirm(self, confirm: dict[str, str]) -> dict[str, str]:
        if len(confirm) > MOST_ITEMS:
            raise serializers.ValidationError(f"at most {MOST_ITEMS}")
        return confirm


class DoneSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    name = serializers.CharField()
    action = serializers.CharField()
    outcome = serializers.CharField(help_text="done, failed or unconfirmed")
    reason = serializers.CharField()
    backup = serializers.CharField()


class AppliedSerializer(serializers.Serializer[Any]):
    items = DoneSerializer(many=True)


PLAN = {
    "hash": "9f2c41aa03be77d1",
    "differs": True,
    "level": 5,
    "items": [
        {
            "kind": "stream",
            "name": "ORDERS",
            "policy": "manage",
            "action": "update",
            "standing": "changed",
            "changes": [
                {
                    "field": "max_msgs",
                    "desired": 200_000,
                    "applied": 100_000,
                    "live": 100_000,
                    "effect": "change",
                    "why": "",
                }
            ],
            "destructive": False,
            "needsName": False,
            "reasons": [],
            "warnings": [],
        }
    ],
    "undeclared": ["BY_HAND"],
}
DONE = {
    "kind": "stream",
    "name": "ORDERS",
    "action": "update",
    "outcome": "done",
    "reason": "",
    "backup": "",
}


class Plan(StreamsView):
    needs = {"GET": ("streams.view_stream",), "POST": ("streams.view_stream",)}
    serializer_class = PlanSerializer

    @describes(PlanSerializer, PLAN, away=True)
    def get(self, request: Request) -> Response:
        """Say what an apply would do. Nothing is changed."""
        return Response(PlanSerializer(sync.plan()).data)

    @describes(PlanSerializer, PLAN, asks=NamesSerializer, given={"names": ["ORDERS"]}, away=True)
    def post(self, request: Request) -> Response:
        """Say what an apply of only these would do. Nothing is changed."""
        asked = self.asked(NamesSerializer(data=request.data))
        return Response(PlanSerializer(sync.plan(names=asked["names"])).data)


class Apply(StreamsView):
    needs = {"POST": ("streams.change_stream", "streams.change_streamconsumer")}
    serializer_class = AppliedSerializer

    @describes(
        AppliedSerializer,
        {"items": [DONE]},
        asks=ApplySerializer,
        given={"hash": PLAN["hash"], "confirm": {"ORDERS": "ORDERS"}},
        away=True,
    )
    def post(self, request: Request) -> Response:
        """Do what the plan of this hash says; 409 when something changed since it was made."""
        asked = self.asked(ApplySerializer(data=request.data))
        applied = sync.apply(
            plan_hash=asked["hash"],
            confirm=asked["confirm"],
            names=asked["names"],
            actor=actor(request),
            now=timezone.now(),
        )
        return Response(AppliedSerializer(applied).data)


class ImportSerializer(NamesSerializer):
    names = texts(required=False, allow_null=True, default=None, help_text="Of streams.")
    policy = serializers.ChoiceField(choices=Policy.choices, default=Policy.OBSERVE)


class ImportedSerializer(serializers.Serializer[Any]):
    created = serializers.ListField(child=serializers.CharField())
    known = serializers.ListField(child=serializers.CharField())
    missing = serializers.ListField(child=serializers.CharField())


class Import(StreamsView):
    needs = {"POST": ("streams.add_stream", "streams.add_streamconsumer")}
    serializer_class = ImportedSerializer

    @describes(
        ImportedSerializer,
        {"created": ["BY_HAND", "BY_HAND/desk"], "known": ["MARKET_DATA"], "missing": []},
        asks=ImportSerializer,
        given={"names": ["BY_HAND"], "policy": "observe"},
        away=True,
    )
    def post(self, request: Request) -> Response:
        """Make records of streams and consumers that NATS has and nobody declared."""
        asked = self.asked(ImportSerializer(data=request.data))
        found = importing.import_streams(
            actor=actor(request), names=asked["names"], policy=asked["policy"]
        )
        return Response(ImportedSerializer(found).data)
