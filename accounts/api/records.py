"""Accounts themselves: listed, declared, edited and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from accounts.api import examples
from accounts.api.base import CONFLICT, AccountsView, Pages, Strict, actor, text
from accounts.api.filters import AccountFilter, Backend
from accounts.api.state import StateSerializer, last_state
from accounts.forms import check_tag
from accounts.models import Account, AccountQuerySet
from accounts.models.group import LONGEST_INTERVAL_S
from accounts.services import queries, records

MOST_TAGS = 50
LARGEST_LOGIN = 2**63 - 1
LARGEST_LEVERAGE = 2**31 - 1


def interval(source: str) -> serializers.IntegerField:
    return serializers.IntegerField(
        source=source,
        required=False,
        allow_null=True,
        min_value=1,
        max_value=LONGEST_INTERVAL_S,
    )


class IntervalSerializer(Strict):
    """Seconds; null means as the group has it, else the contract's default."""

    accountS = interval("account_s")
    updateS = interval("update_s")
    positionsS = interval("positions_s")
    ordersS = interval("orders_s")


class EffectiveSerializer(serializers.Serializer[Any]):
    accountS = serializers.IntegerField(source="account_s")
    updateS = serializers.IntegerField(source="update_s")
    positionsS = serializers.IntegerField(source="positions_s")
    ordersS = serializers.IntegerField(source="orders_s")


class OwedSerializer(serializers.Serializer[Account]):
    """Which broker is owed a snapshot before it gets anything else."""

    nats = serializers.BooleanField(source="nats_snapshot_required")
    rabbitmq = serializers.BooleanField(source="rabbitmq_snapshot_required")


class AccountSerializer(serializers.Serializer[Account]):
    """An account and its last state. Never a password."""

    accountId = serializers.UUIDField(source="uuid")
    server = serializers.CharField()
    login = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # DRF takes it out of the class
    currency = serializers.CharField()
    leverage = serializers.IntegerField()
    provider = serializers.CharField()
    deployed = serializers.BooleanField()
    lastStateAt = serializers.DateTimeField(source="last_state_at", allow_null=True)
    lastPublishedAt = serializers.DateTimeField(source="last_published_at", allow_null=True)
    lastError = serializers.CharField(source="last_error")
    state = serializers.SerializerMethodField()
    lifecycle = serializers.CharField()
    lifecycleReason = serializers.CharField(source="lifecycle_reason")
    lifecycleSince = serializers.DateTimeField(source="lifecycle_since")
    connection = serializers.CharField()
    connectionReason = serializers.CharField(source="connection_reason")
    connectionSince = serializers.DateTimeField(source="connection_since")
    group = serializers.CharField(source="group.name", default=None, allow_null=True)
    tags = serializers.SerializerMethodField()
    source = serializers.CharField()  # type: ignore[assignment]  # as for `label`
    intervals = IntervalSerializer(source="*")
    effectiveIntervals = EffectiveSerializer(source="intervals")
    ageMs = serializers.SerializerMethodField()
    epoch = serializers.IntegerField()
    seq = serializers.IntegerField()
    eventNumber = serializers.IntegerField(source="event_number")
    hasPassword = serializers.SerializerMethodField()
    snapshotOwed = OwedSerializer(source="*")
    utcOffsetS = serializers.IntegerField(source="utc_offset_s", allow_null=True)
    isDemo = serializers.BooleanField(source="is_demo")
    createdAt = serializers.DateTimeField(source="created_at")

    @extend_schema_field(StateSerializer(allow_null=True))
    def get_state(self, account: Account) -> Mapping[str, Any] | None:
        return last_state(account)

    def get_tags(self, account: Account) -> list[str]:
        # Sorted here: a query of its own would undo the prefetch.
        return sorted(tag.name for tag in account.tags.all())

    def get_ageMs(self, account: Account) -> int | None:  # noqa: N802  the contract's name
        age = account.age()
        return None if age is None else max(0, round(age.total_seconds() * 1000))

    def get_hasPassword(self, account: Account) -> bool:  # noqa: N802  the contract's name
        return account.sealed_password != ""


class ChangeSerializer(Strict):
    """What may be changed. A field that is left out stays as it is."""

    label = text(max_length=100, allow_blank=True, required=False)  # type: ignore[assignment]  # DRF takes it out of the class
    provider = serializers.ChoiceField(choices=Account.Provider.choices, required=False)
    source = text(max_length=200, allow_blank=True, required=False)  # type: ignore[assignment]  # as for `label`
    currency = text(max_length=16, required=False)
    leverage = serializers.IntegerField(min_value=1, max_value=LARGEST_LEVERAGE, required=False)
    group = serializers.CharField(
        max_length=64, allow_null=True, required=False, help_text="Its name, or null."
    )
    tags = serializers.ListField(
        child=serializers.CharField(max_length=64, validators=[check_tag]),
        max_length=MOST_TAGS,
        required=False,
        help_text="Their names, all of them; those that are missing are made.",
    )
    intervals = IntervalSerializer(required=False)
    password = serializers.CharField(
        max_length=128,
        allow_blank=True,
        trim_whitespace=False,
        write_only=True,
        required=False,
        help_text="The investor password. Kept encrypted, never shown; empty forgets it.",
    )


class NewAccountSerializer(ChangeSerializer):
    """Server and login make an account what it is, and never change."""

    server = text(max_length=64)
    login = serializers.RegexField(r"^[1-9][0-9]{0,18}$", help_text="Digits.")

    def validate_login(self, login: str) -> int:
        if int(login) > LARGEST_LOGIN:
            raise serializers.ValidationError(_("This is too large."))
        return int(login)


def arguments(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body as `services.records` takes it."""
    values = dict(asked)
    given: dict[str, Any] = {
        name: values.pop(name) for name in ("tags", "password") if name in values
    }
    if "group" in values:
        given["group"] = values.pop("group") or ""
    return given | {"values": values | values.pop("intervals", {})}


class Accounts(AccountsView):
    needs = {"POST": ("accounts.add_account",)}
    serializer_class = AccountSerializer
    pagination_class = Pages
    filter_backends = [Backend]
    filterset_class = AccountFilter

    def get_queryset(self) -> AccountQuerySet:
        return queries.accounts()

    @extend_schema(
        responses={200: AccountSerializer(many=True)},
        examples=[examples.answered(examples.ACCOUNT)],
    )
    def get(self, request: Request) -> Response:
        """List accounts with their last state."""
        return self.listed()

    @extend_schema(
        request=NewAccountSerializer,
        responses={201: AccountSerializer, 409: CONFLICT},
        examples=[
            examples.asked(examples.NEW_ACCOUNT),
            examples.answered(
                examples.ACCOUNT | {"lifecycle": "DRAFT", "deployed": False, "state": None},
                code=201,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Declare an account. Nothing of it is published until it is deployed."""
        asked = self.asked(NewAccountSerializer(data=request.data))
        account = records.declare_account(**arguments(asked), actor=actor(request))
        address = reverse("accounts-detail", args=[account.uuid], request=request)
        return Response(
            AccountSerializer(account).data,
            status=HTTPStatus.CREATED,
            headers={"Location": address},
        )


class AccountDetail(AccountsView):
    needs = {"PATCH": ("accounts.change_account",), "DELETE": ("accounts.delete_account",)}
    serializer_class = AccountSerializer

    @extend_schema(examples=[examples.answered(examples.ACCOUNT)])
    def get(self, request: Request, account_id: UUID) -> Response:
        """Return one account with its last state."""
        return Response(AccountSerializer(self.account()).data)

    @extend_schema(
        request=ChangeSerializer,
        responses={200: AccountSerializer, 409: CONFLICT},
        examples=[
            examples.asked({"label": "Desk 5", "intervals": {"updateS": None}, "tags": []}),
            examples.answered(examples.ACCOUNT | {"label": "Desk 5"}),
        ],
    )
    def patch(self, request: Request, account_id: UUID) -> Response:
        """Change what is given. With another interval the account begins anew, with a snapshot."""
        asked = self.asked(ChangeSerializer(data=request.data))
        account = self.account()
        records.edit_account(account=account, **arguments(asked), actor=actor(request))
        return Response(AccountSerializer(self.account()).data)

    @extend_schema(responses={204: None, 409: CONFLICT})
    def delete(self, request: Request, account_id: UUID) -> Response:
        """Delete the account with its events and history. It must not be deployed."""
        records.delete_account(account=self.account(), actor=actor(request))
        return Response(status=HTTPStatus.NO_CONTENT)
