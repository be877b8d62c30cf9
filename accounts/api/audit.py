"""Who did what."""

from __future__ import annotations

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import examples
from accounts.api.base import AccountsView, NewestFirst
from accounts.api.filters import LONGEST, Backend, Moment
from accounts.models import AuditEntry
from accounts.services import queries


class AuditSerializer(serializers.Serializer[AuditEntry]):
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    action = serializers.CharField()
    accountId = serializers.UUIDField(source="account.uuid", default=None, allow_null=True)
    account = serializers.CharField(source="account_name", help_text="It outlives the account.")
    before = serializers.CharField()
    after = serializers.CharField()
    detail = serializers.CharField()


class AuditFilter(filters.FilterSet):
    accountId = filters.UUIDFilter(field_name="account__uuid")
    actor = filters.CharFilter(max_length=LONGEST)
    action = filters.CharFilter(max_length=LONGEST)
    since = Moment(field_name="at", lookup_expr="gte")


ENTRY = {
    "at": examples.AT,
    "actor": "operator",
    "action": "deploy",
    "accountId": examples.ACCOUNT_ID,
    "account": "Broker-Live/261632689",
    "before": "DRAFT",
    "after": "DEPLOYING",
    "detail": "",
}


class Audit(AccountsView):
    needs = {"GET": ("accounts.view_auditentry",)}
    serializer_class = AuditSerializer
    pagination_class = NewestFirst
    filter_backends = [Backend]
    filterset_class = AuditFilter

    def get_queryset(self) -> QuerySet[AuditEntry]:
        return queries.audit_entries()

    @extend_schema(responses={200: AuditSerializer(many=True)}, examples=[examples.answered(ENTRY)])
    def get(self, request: Request) -> Response:
        """List what operators, tokens and workers did, newest first."""
        return self.listed()
