"""Accounts over HTTP, for whoever is signed in. Read only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import IsAuthenticated

from accounts import services
from accounts.core import messages
from accounts.core.errors import BadState
from accounts.core.state import restored
from accounts.models import Account, AccountQuerySet

Row = Mapping[str, Any]


class Pages(PageNumberPagination):
    page_size = 100
    page_size_query_param = "pageSize"
    max_page_size = 500


class PositionSerializer(serializers.Serializer[Row]):
    ticket = serializers.IntegerField()
    symbol = serializers.CharField()
    type = serializers.CharField()
    volume = serializers.FloatField()
    openPrice = serializers.FloatField()  # noqa: N815  the contract's names, here and below
    currentPrice = serializers.FloatField()  # noqa: N815
    profit = serializers.FloatField()
    swap = serializers.FloatField()
    commission = serializers.FloatField(allow_null=True)
    openTime = serializers.CharField()  # noqa: N815


class OrderSerializer(serializers.Serializer[Row]):
    ticket = serializers.IntegerField()
    symbol = serializers.CharField()
    type = serializers.CharField()
    volume = serializers.FloatField()
    price = serializers.FloatField()
    currentPrice = serializers.FloatField()  # noqa: N815
    time = serializers.CharField()


class StateSerializer(serializers.Serializer[Row]):
    balance = serializers.FloatField()
    equity = serializers.FloatField()
    profit = serializers.FloatField()
    margin = serializers.FloatField()
    freeMargin = serializers.FloatField()  # noqa: N815
    positions = PositionSerializer(many=True)
    orders = OrderSerializer(many=True)


class AccountSerializer(serializers.Serializer[Account]):
    accountId = serializers.UUIDField(source="uuid")  # noqa: N815
    server = serializers.CharField()
    login = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # DRF takes it out of the class
    currency = serializers.CharField()
    leverage = serializers.IntegerField()
    provider = serializers.CharField()
    deployed = serializers.BooleanField()
    lastStateAt = serializers.DateTimeField(source="last_state_at")  # noqa: N815
    lastPublishedAt = serializers.DateTimeField(source="last_published_at")  # noqa: N815
    lastError = serializers.CharField(source="last_error")  # noqa: N815
    state = serializers.SerializerMethodField()

    def get_state(self, account: Account) -> Mapping[str, Any] | None:
        """The last state, or null where there is none yet."""
        try:
            state = restored(account.state) if account.state else None
        except BadState:
            return None
        return None if state is None else StateSerializer(messages.snapshot(state)).data


class Accounts(ListAPIView[Account]):
    permission_classes = [IsAuthenticated]
    serializer_class = AccountSerializer
    pagination_class = Pages

    def get_queryset(self) -> AccountQuerySet:
        return services.snapshots()


class AccountDetail(RetrieveAPIView[Account]):
    permission_classes = [IsAuthenticated]
    serializer_class = AccountSerializer
    lookup_field = "uuid"
    lookup_url_kwarg = "account_id"

    def get_queryset(self) -> AccountQuerySet:
        return services.snapshots()
