"""The last state of an account, as its provider told it: every amount with its own digits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.base import Amount
from accounts.core.errors import BadState
from accounts.core.messages import timestamp
from accounts.core.state import AccountState, Order, Position, restored
from accounts.models import Account


@extend_schema_field(OpenApiTypes.DATETIME)
class Moment(serializers.Field[datetime, Any, str, Any]):
    """As the account messages write it: UTC, with milliseconds."""

    def to_representation(self, value: datetime) -> str:
        return timestamp(value)


class PositionSerializer(serializers.Serializer[Position]):
    ticket = serializers.IntegerField()
    symbol = serializers.CharField()
    type = serializers.CharField(source="side")
    volume = Amount()
    openPrice = Amount(source="open_price")
    currentPrice = Amount(source="current_price")
    profit = Amount()
    swap = Amount()
    commission = Amount(allow_null=True)
    openTime = Moment(source="open_time")
    identifier = serializers.IntegerField(allow_null=True)
    stopLoss = Amount(source="stop_loss", allow_null=True)
    takeProfit = Amount(source="take_profit", allow_null=True)
    magic = serializers.IntegerField()
    comment = serializers.CharField()


class OrderSerializer(serializers.Serializer[Order]):
    ticket = serializers.IntegerField()
    symbol = serializers.CharField()
    type = serializers.CharField()
    volume = Amount()
    price = Amount()
    currentPrice = Amount(source="current_price")
    time = Moment()
    state = serializers.CharField()
    volumeInitial = Amount(source="volume_initial", allow_null=True)
    stopLimitPrice = Amount(source="stop_limit_price", allow_null=True)
    stopLoss = Amount(source="stop_loss", allow_null=True)
    takeProfit = Amount(source="take_profit", allow_null=True)
    expiration = Moment(allow_null=True)
    magic = serializers.IntegerField()
    comment = serializers.CharField()


class StateSerializer(serializers.Serializer[AccountState]):
    balance = Amount()
    equity = Amount()
    profit = Amount()
    margin = Amount()
    freeMargin = Amount(source="free_margin")
    positions = PositionSerializer(many=True)
    orders = OrderSerializer(many=True)
    credit = Amount()
    marginLevel = Amount(source="margin_level", allow_null=True)
    currency = serializers.CharField()
    currencyDigits = serializers.IntegerField(source="currency_digits")
    leverage = serializers.IntegerField()
    tradeMode = serializers.CharField(source="trade_mode", allow_null=True)
    marginMode = serializers.CharField(source="margin_mode", allow_null=True)
    tradeAllowed = serializers.BooleanField(source="trade_allowed")


def last_state(account: Account) -> Mapping[str, Any] | None:
    """Return the last state, or None where there is none yet."""
    try:
        state = restored(account.state) if account.state else None
    except BadState:
        return None
    return None if state is None else StateSerializer(state).data
