"""What all calls about accounts share: how they refuse, page, name the caller and write amounts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from django.core.exceptions import ValidationError as BadValue
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.pagination import CursorPagination, PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.core.errors import AccountsError, BadInterval, BadTransition, Conflict, VaultError
from accounts.forms import check_text
from accounts.models import Account, AccountQuerySet
from accounts.services import queries
from accounts.services.records import reasons

Row = Mapping[str, Any]
Needs = Mapping[str, tuple[str, ...]]


class RefusalSerializer(serializers.Serializer[Any]):
    error = serializers.CharField(help_text="What is wrong, in words.")


CONFLICT = OpenApiResponse(
    RefusalSerializer,
    description="What is asked for does not go with what is there.",
    examples=[
        OpenApiExample(
            "Conflict", {"error": "Broker-Live/261632689: it is DEPLOYED; undeploy it first"}
        )
    ],
)

# What a name of ours is called outside, where it is not just another spelling.
_OUTSIDE = {"sealed_password": "password"}


class Pages(PageNumberPagination):
    page_size = 100
    page_size_query_param = "pageSize"
    max_page_size = 500


class NewestFirst(CursorPagination):
    """Pages that stay what they are while rows are added in front of them."""

    page_size = 100
    page_size_query_param = "pageSize"
    max_page_size = 500
    ordering = "-id"


class AccountsView(GenericAPIView[Any]):
    """
    Turns what `services` refuse into answers.

    `needs` names the permissions of each method that wants more than to be signed in; the project's
    permission class reads it.
    """

    needs: Needs = {}

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, BadValue):
            exc = ValidationError(
                {camel(name) or "non_field_errors": found for name, found in reasons(exc).items()}
            )
        elif isinstance(exc, Http404):
            # Its own words name a class of ours.
            exc = NotFound()
        elif isinstance(exc, BadInterval):
            exc = ValidationError({"interval": [str(exc)]})
        elif isinstance(exc, BadTransition | Conflict | VaultError):
            return Response({"error": str(exc)}, status=HTTPStatus.CONFLICT)
        elif isinstance(exc, AccountsError):
            return Response({"error": str(exc)}, status=HTTPStatus.SERVICE_UNAVAILABLE)
        return super().handle_exception(exc)

    def account(self) -> Account:
        """Return the account that the address names, or answer 404."""
        found: AccountQuerySet = queries.accounts()
        return get_object_or_404(found, uuid=self.kwargs["account_id"])

    def listed(self) -> Response:
        """Return the page that is asked for of what the filters leave."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)

    def asked(self, serializer: serializers.Serializer[Any]) -> Any:
        """Return what the body, or the query, says; what it should not say is a 400."""
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data


class Strict(serializers.Serializer[Any]):
    """Refuses what it does not know, by name, instead of passing it over."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(str(name) for name in data if name not in self.fields)
            if unknown:
                raise ValidationError({name: [_("There is no such field.")] for name in unknown})
        return super().to_internal_value(data)


def text(**arguments: Any) -> serializers.CharField:
    """Return a field for a name or another line of text."""
    return serializers.CharField(validators=[check_text], **arguments)


@extend_schema_field({"type": "number"})
class Amount(serializers.Field[Decimal, Any, Decimal, Any]):
    """A decimal as a JSON number of exactly its digits."""

    def to_representation(self, value: Decimal) -> Decimal:
        # 1E+4 is JSON, but nobody expects it.
        return Decimal(format(value, "f"))


def actor(request: Request) -> str:
    """Return who is written down: the user, and the token that acts for them, if one does."""
    name = request.user.get_username()
    prefix = getattr(request.auth, "prefix", "")
    return f"{name} ({prefix}…)" if prefix else name


def camel(name: str) -> str:
    """Return the name of a column as the API has it."""
    first, *others = _OUTSIDE.get(name, name).split("_")
    return first + "".join(part.capitalize() for part in others)


def no_store(response: Response) -> Response:
    """Keep an answer that holds a secret out of every cache."""
    response["Cache-Control"] = "no-store"
    return response
