"""Tokens with which terminals and agents push; a secret is in one answer and nowhere else."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import examples
from accounts.api.base import AccountsView, Strict, actor, no_store, text
from accounts.models import Account, AccountGroup, AccountToken
from accounts.services import queries, tokens

NEEDS = {
    "GET": ("accounts.view_accounttoken",),
    "POST": ("accounts.add_accounttoken",),
    "DELETE": ("accounts.change_accounttoken",),
}


class TokenSerializer(serializers.Serializer[AccountToken]):
    prefix = serializers.CharField(help_text="How the token begins; it names the token.")
    name = serializers.CharField()
    createdAt = serializers.DateTimeField(source="created_at")
    createdBy = serializers.CharField(source="created_by")
    lastUsedAt = serializers.DateTimeField(source="last_used_at", allow_null=True)
    revokedAt = serializers.DateTimeField(source="revoked_at", allow_null=True)


class TokensSerializer(serializers.Serializer[Any]):
    tokens = TokenSerializer(many=True)


class MadeTokenSerializer(TokenSerializer):
    token = serializers.CharField(help_text="The secret. It is never shown again.")


class NewTokenSerializer(Strict):
    name = text(max_length=100, allow_blank=True, required=False, default="")


TOKEN = {
    "prefix": "tpa_Zk3x9QpL",
    "name": "Desk 4, terminal 2",
    "createdAt": examples.AT,
    "createdBy": "operator",
    "lastUsedAt": None,
    "revokedAt": None,
}
MADE = TOKEN | {"token": "tpa_Zk3x9QpL…"}
listed = extend_schema(
    responses={200: TokensSerializer}, examples=[examples.answered({"tokens": [TOKEN]})]
)
made = extend_schema(
    request=NewTokenSerializer,
    responses={201: MadeTokenSerializer},
    examples=[
        examples.asked({"name": "Desk 4, terminal 2"}),
        examples.answered(MADE, code=201),
    ],
)
revoked = extend_schema(request=None, responses={204: None})


class TokenView(AccountsView):
    """Tokens of one owner: an account or a group."""

    needs = NEEDS
    serializer_class = TokenSerializer

    def owner(self) -> dict[str, Any]:
        raise NotImplementedError

    def owned(self) -> QuerySet[AccountToken]:
        return queries.tokens().filter(**self.owner())

    def all(self) -> Response:
        return Response({"tokens": self.get_serializer(self.owned(), many=True).data})

    def made(self, request: Request) -> Response:
        name = self.asked(NewTokenSerializer(data=request.data))["name"]
        token, secret = tokens.create(**self.owner(), name=name, actor=actor(request))
        body = {**TokenSerializer(token).data, "token": secret}
        return no_store(Response(body, status=HTTPStatus.CREATED))

    def revoked(self, request: Request, prefix: str) -> Response:
        token = get_object_or_404(self.owned(), prefix=prefix, revoked_at=None)
        tokens.revoke(token=token, actor=actor(request))
        return Response(status=HTTPStatus.NO_CONTENT)


class OfAccount(TokenView):
    def owner(self) -> dict[str, Account]:
        return {"account": self.account()}


class OfGroup(TokenView):
    def owner(self) -> dict[str, AccountGroup]:
        return {"group": get_object_or_404(queries.groups(), pk=self.kwargs["group_id"])}


class AccountTokens(OfAccount):
    @listed
    def get(self, request: Request, account_id: UUID) -> Response:
        """List the account's own tokens; those of its group are listed there."""
        return self.all()

    @made
    def post(self, request: Request, account_id: UUID) -> Response:
        """Make a token that may push the state of this account. It is shown once."""
        return self.made(request)


class AccountTokenDetail(OfAccount):
    @revoked
    def delete(self, request: Request, account_id: UUID, prefix: str) -> Response:
        """Revoke a token for good."""
        return self.revoked(request, prefix)


class GroupTokens(OfGroup):
    @listed
    def get(self, request: Request, group_id: int) -> Response:
        """List the tokens that may push every account of the group."""
        return self.all()

    @made
    def post(self, request: Request, group_id: int) -> Response:
        """Make a token that may push every account of the group. It is shown once."""
        return self.made(request)


class GroupTokenDetail(OfGroup):
    @revoked
    def delete(self, request: Request, group_id: int, prefix: str) -> Response:
        """Revoke a token for good."""
        return self.revoked(request, prefix)
