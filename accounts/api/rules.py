"""Limits on loss and profit that raise alerts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import examples
from accounts.api.base import AccountsView, Amount, Pages, Strict, actor, text
from accounts.api.filters import LONGEST, Backend
from accounts.models import Account, AccountGroup, Rule
from accounts.services import queries, records

LEAST = Decimal("0.0001")


class RuleSerializer(serializers.Serializer[Rule]):
    """A limit of one account, or of each account of one group."""

    ruleId = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    accountId = serializers.UUIDField(source="account.uuid", default=None, allow_null=True)
    group = serializers.CharField(source="group.name", default=None, allow_null=True)
    kind = serializers.CharField()
    basis = serializers.CharField()
    unit = serializers.CharField()
    threshold = Amount()
    level = serializers.CharField()
    enabled = serializers.BooleanField()


class RuleChangeSerializer(Strict):
    name = text(max_length=100, required=False)
    accountId = serializers.UUIDField(required=False, allow_null=True)
    group = serializers.CharField(
        max_length=64, required=False, allow_null=True, help_text="Its name."
    )
    kind = serializers.ChoiceField(choices=Rule.Kind.choices, required=False)
    basis = serializers.ChoiceField(choices=Rule.Basis.choices, required=False)
    unit = serializers.ChoiceField(choices=Rule.Unit.choices, required=False)
    threshold = serializers.DecimalField(
        max_digits=18, decimal_places=4, min_value=LEAST, required=False
    )
    level = serializers.ChoiceField(choices=Rule.Level.choices, required=False)
    enabled = serializers.BooleanField(required=False)


class NewRuleSerializer(RuleChangeSerializer):
    name = text(max_length=100)
    kind = serializers.ChoiceField(choices=Rule.Kind.choices)
    basis = serializers.ChoiceField(choices=Rule.Basis.choices)
    unit = serializers.ChoiceField(choices=Rule.Unit.choices)
    threshold = serializers.DecimalField(max_digits=18, decimal_places=4, min_value=LEAST)


class RuleFilter(filters.FilterSet):
    accountId = filters.UUIDFilter(field_name="account__uuid")
    group = filters.CharFilter(field_name="group__name", max_length=LONGEST)


NEW_RULE = {
    "name": "Daily loss",
    "accountId": examples.ACCOUNT_ID,
    "kind": "drawdown",
    "basis": "daily",
    "unit": "percent",
    "threshold": 5,
    "level": "critical",
}
RULE = NEW_RULE | {"ruleId": 3, "group": None, "enabled": True}


def values(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body as columns. Whose it becomes, it is of nobody else any more."""
    found = dict(asked)
    account_id, group = found.pop("accountId", None), found.pop("group", None)
    if account_id and group:
        raise ValidationError({"group": [_("Give an account or a group, not both.")]})
    if account_id:
        found |= {"account": _account(account_id), "group": None}
    if group:
        found |= {"group": _group(group), "account": None}
    return found


def check_basis(kind: str, basis: str) -> None:
    """Refuse in words, and by name, what the table would refuse by the name of a constraint."""
    if (kind, basis) == (Rule.Kind.PROFIT, Rule.Basis.PEAK):
        raise ValidationError({"basis": [_("A profit has no peak: choose another start.")]})


def _account(account_id: UUID) -> Account:
    account = queries.accounts().filter(uuid=account_id).first()
    if account is None:
        raise ValidationError({"accountId": [_("There is no such account.")]})
    return account


def _group(name: str) -> AccountGroup:
    group = queries.groups().filter(name=name).first()
    if group is None:
        raise ValidationError({"group": [_("There is no group of this name.")]})
    return group


class Rules(AccountsView):
    needs = {"POST": ("accounts.add_rule",)}
    serializer_class = RuleSerializer
    pagination_class = Pages
    filter_backends = [Backend]
    filterset_class = RuleFilter

    def get_queryset(self) -> QuerySet[Rule]:
        return queries.rules()

    @extend_schema(responses={200: RuleSerializer(many=True)}, examples=[examples.answered(RULE)])
    def get(self, request: Request) -> Response:
        """List the rules."""
        return self.listed()

    @extend_schema(
        request=NewRuleSerializer,
        responses={201: RuleSerializer},
        examples=[examples.asked(NEW_RULE), examples.answered(RULE, code=201)],
    )
    def post(self, request: Request) -> Response:
        """Declare a rule. It looks at each state that comes from then on."""
        asked = self.asked(NewRuleSerializer(data=request.data))
        if not asked.get("accountId") and not asked.get("group"):
            raise ValidationError({"accountId": [_("Give an account or a group.")]})
        check_basis(asked["kind"], asked["basis"])
        rule = records.create(record=Rule(**values(asked)), actor=actor(request))
        return Response(RuleSerializer(rule).data, status=HTTPStatus.CREATED)


class RuleDetail(AccountsView):
    needs = {"PATCH": ("accounts.change_rule",), "DELETE": ("accounts.delete_rule",)}
    serializer_class = RuleSerializer

    def rule(self) -> Rule:
        return get_object_or_404(queries.rules(), pk=self.kwargs["rule_id"])

    @extend_schema(examples=[examples.answered(RULE)])
    def get(self, request: Request, rule_id: int) -> Response:
        """Return one rule."""
        return Response(RuleSerializer(self.rule()).data)

    @extend_schema(
        request=RuleChangeSerializer,
        responses={200: RuleSerializer},
        examples=[examples.asked({"enabled": False}), examples.answered(RULE)],
    )
    def patch(self, request: Request, rule_id: int) -> Response:
        """Change what is given."""
        asked = values(self.asked(RuleChangeSerializer(data=request.data)))
        rule = self.rule()
        check_basis(asked.get("kind", rule.kind), asked.get("basis", rule.basis))
        rule = records.edit(record=rule, values=asked, actor=actor(request))
        return Response(RuleSerializer(rule).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, rule_id: int) -> Response:
        """Delete the rule."""
        records.delete(record=self.rule(), actor=actor(request))
        return Response(status=HTTPStatus.NO_CONTENT)
