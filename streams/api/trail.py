"""What happened: who changed what, and what JetStream told of itself."""

from __future__ import annotations

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from streams.api.base import (
    AT,
    Backend,
    Configuration,
    Moment,
    NewestFirst,
    StreamsView,
    describes,
    line,
)
from streams.models import Advisory, BrokerAct


class ActSerializer(serializers.Serializer[BrokerAct]):
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    action = serializers.CharField()
    kind = serializers.CharField()
    name = serializers.CharField()
    before = Configuration()
    after = Configuration()
    detail = serializers.CharField()


ACT = {
    "at": AT,
    "actor": "operator",
    "action": "edit",
    "kind": "stream",
    "name": "ORDERS",
    "before": {"config": {"max_msgs": 100_000}, "name": "ORDERS", "policy": "manage"},
    "after": {"config": {"max_msgs": 200_000}, "name": "ORDERS", "policy": "manage"},
    "detail": "",
}


class ActFilter(filters.FilterSet):
    actor = line()
    action = line()
    kind = line()
    name = line()
    since = Moment(field_name="at", lookup_expr="gte")


class Audit(StreamsView):
    needs = {"GET": ("streams.view_brokeract",)}
    serializer_class = ActSerializer
    pagination_class = NewestFirst
    filter_backends = [Backend]
    filterset_class = ActFilter

    def get_queryset(self) -> QuerySet[BrokerAct]:
        return BrokerAct.objects.all()

    @describes(ActSerializer(many=True), ACT)
    def get(self, request: Request) -> Response:
        """List what operators, tokens and workers changed in NATS, newest first."""
        return self.listed()


class AdvisorySerializer(serializers.Serializer[Advisory]):
    eventId = serializers.CharField(source="event_id")
    at = serializers.DateTimeField()
    kind = serializers.CharField()
    stream = serializers.CharField()
    consumer = serializers.CharField()
    text = serializers.CharField()
    data = Configuration()  # type: ignore[assignment]  # DRF takes it out of the class


ADVISORY = {
    "eventId": "J8nMUVGT9M6yY6dPgNlFkA",
    "at": AT,
    "kind": "stream_leader_elected",
    "stream": "ORDERS",
    "consumer": "",
    "text": "n2 leads stream ORDERS",
    "data": {"leader": "n2"},
}


class AdvisoryFilter(filters.FilterSet):
    kind = line()
    stream = line()
    consumer = line()
    since = Moment(field_name="at", lookup_expr="gte")


class Advisories(StreamsView):
    needs = {"GET": ("streams.view_advisory",)}
    serializer_class = AdvisorySerializer
    pagination_class = NewestFirst
    filter_backends = [Backend]
    filterset_class = AdvisoryFilter

    def get_queryset(self) -> QuerySet[Advisory]:
        return Advisory.objects.all()

    @describes(AdvisorySerializer(many=True), ADVISORY)
    def get(self, request: Request) -> Response:
        """List what JetStream and the servers told of themselves, newest first."""
        return self.listed()
