"""How publishing fares: the brokers, and the shards of accounts."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import examples
from accounts.api.base import AccountsView
from accounts.models import OutletStatus, ShardLease
from accounts.services import queries


class BrokerSerializer(serializers.Serializer[OutletStatus]):
    """One broker. The counters never begin anew."""

    name = serializers.CharField()
    state = serializers.CharField()
    reason = serializers.CharField()
    since = serializers.DateTimeField()
    seenAt = serializers.DateTimeField(source="seen_at")
    confirmed = serializers.IntegerField()
    returned = serializers.IntegerField()
    nacked = serializers.IntegerField()
    unknown = serializers.IntegerField()
    shed = serializers.IntegerField()


class ShardSerializer(serializers.Serializer[ShardLease]):
    shard = serializers.IntegerField()
    holder = serializers.CharField()
    expiresAt = serializers.DateTimeField(source="expires_at", allow_null=True)
    resyncedAt = serializers.DateTimeField(source="resynced_at", allow_null=True)
    visits = serializers.IntegerField()
    overruns = serializers.IntegerField()
    skipped = serializers.IntegerField()
    lastVisitMs = serializers.IntegerField(source="last_visit_ms")


class PublisherSerializer(serializers.Serializer[Any]):
    brokers = BrokerSerializer(many=True)
    shards = ShardSerializer(many=True)


PUBLISHER = {
    "brokers": [
        {
            "name": "rabbitmq",
            "state": "ready",
            "reason": "",
            "since": examples.AT,
            "seenAt": examples.AT,
            "confirmed": 481_516,
            "returned": 0,
            "nacked": 0,
            "unknown": 23,
            "shed": 42,
        }
    ],
    "shards": [
        {
            "shard": 0,
            "holder": "",
            "expiresAt": None,
            "resyncedAt": examples.AT,
            "visits": 86_400,
            "overruns": 1,
            "skipped": 2,
            "lastVisitMs": 38,
        }
    ],
}


class Publisher(AccountsView):
    serializer_class = PublisherSerializer

    @extend_schema(examples=[examples.answered(PUBLISHER)])
    def get(self, request: Request) -> Response:
        """Return what each broker took and refused, and how the visits of each shard go."""
        body = {"brokers": queries.brokers(), "shards": queries.shards()}
        return Response(PublisherSerializer(body).data)
