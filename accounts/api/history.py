"""Equity and balance over time."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import examples
from accounts.api.base import AccountsView, Amount, Strict
from accounts.core.bars import Bar
from accounts.services import history

INTERVALS = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600, "4h": 14_400, "1d": 86_400}
MOST_BARS = 5000


class RangeSerializer(Strict):
    """The query of a history; `start` is included, `end` is not."""

    interval = serializers.ChoiceField(choices=list(INTERVALS), default="1m")
    start = serializers.DateTimeField(required=False)
    end = serializers.DateTimeField(required=False)
    limit = serializers.IntegerField(
        default=500, min_value=1, max_value=MOST_BARS, help_text="The newest so many."
    )

    def validate(self, attrs: Any) -> Any:
        if "start" in attrs and "end" in attrs and attrs["start"] >= attrs["end"]:
            raise ValidationError({"end": [_("This is not after the start.")]})
        return attrs


class PricesSerializer(serializers.Serializer[Any]):
    open = Amount()
    high = Amount()
    low = Amount()
    close = Amount()


class BarSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField(help_text="Where the interval begins.")
    equity = PricesSerializer()
    balance = PricesSerializer()


class HistorySerializer(serializers.Serializer[Any]):
    accountId = serializers.UUIDField()
    interval = serializers.ChoiceField(choices=list(INTERVALS))
    bars = BarSerializer(many=True)


HISTORY = {
    "accountId": examples.ACCOUNT_ID,
    "interval": "1h",
    "bars": [
        {
            "at": "2025-11-14T10:00:00Z",
            "equity": {"open": 10100.00, "high": 10200.50, "low": 10080.10, "close": 10150.25},
            "balance": {"open": 10000.00, "high": 10000.00, "low": 10000.00, "close": 10000.00},
        }
    ],
}


class History(AccountsView):
    serializer_class = HistorySerializer

    @extend_schema(
        parameters=[RangeSerializer],
        responses={200: HistorySerializer},
        examples=[examples.answered(HISTORY)],
    )
    def get(self, request: Request, account_id: UUID) -> Response:
        """Return open, high, low and close of equity and balance, oldest bar first."""
        asked = self.asked(RangeSerializer(data=request.query_params.dict()))
        bars = history.bars(
            account=self.account(),
            interval_s=INTERVALS[asked["interval"]],
            start=asked.get("start"),
            end=asked.get("end"),
            limit=asked["limit"],
        )
        body = {
            "accountId": account_id,
            "interval": asked["interval"],
            "bars": [_row(bar) for bar in bars],
        }
        return Response(HistorySerializer(body).data)


def _row(bar: Bar) -> Mapping[str, Any]:
    return {"at": bar.at, "equity": _prices(bar, "equity"), "balance": _prices(bar, "balance")}


def _prices(bar: Bar, name: str) -> Mapping[str, Decimal]:
    return {
        part: Decimal(getattr(bar, f"{name}_{part}")).scaleb(-bar.digits)
        for part in ("open", "high", "low", "close")
    }
