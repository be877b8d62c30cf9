"""What all calls about NATS share: how they refuse, page, filter and name the caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC
from http import HTTPStatus
from typing import Any, TypeVar

from django.core.exceptions import ValidationError as BadValue
from django.db import models
from django.http import Http404
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
    extend_schema_view,
)
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.pagination import CursorPagination, PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response

from streams.core.errors import (
    ApiRefused,
    BadBackup,
    BadDefinition,
    BadSubject,
    BrokerError,
    Conflict,
    ConsumerGone,
    Guarded,
    PlanChanged,
    StreamsError,
    TooLarge,
    Unconfirmed,
)
from streams.services import records

Needs = Mapping[str, tuple[str, ...]]
JsonObject = dict[str, Any]
# A method, or a whole view.
AnyCall = TypeVar("AnyCall", bound=Callable[..., Any])

AT = "2025-11-14T10:30:00Z"
MOST_ITEMS = 200
LONGEST = 400
# What JetStream says of things that are not there: stream, consumer, message.
NOT_THERE = frozenset({10059, 10014, 10037, 10043, 10057})
# And of itself: not now, not enabled, out of means.
NOT_NOW = frozenset({10008, 10023, 10039, 10047, 10076})

# How deep and wide a configuration may be. JetStream's own have four levels.
DEEPEST = 8
MOST_LETTERS = 64_000


class DeniedSerializer(serializers.Serializer[Any]):
    error = serializers.CharField(help_text="What is wrong, in words.")


CONFLICT = OpenApiResponse(
    DeniedSerializer,
    description="What is asked for does not go with what is there.",
    examples=[OpenApiExample("Conflict", {"error": "MARKET_DATA is there already"})],
)
AWAY = OpenApiResponse(
    DeniedSerializer,
    description="NATS does not answer.",
    examples=[OpenApiExample("Away", {"error": "NATS did not answer: TimeoutError"})],
)


class Pages(PageNumberPagination):
    page_size = 100
    page_size_query_param = "pageSize"
    max_page_size = 500


class NewestFirst(CursorPagination):
    """Pages that stay what they are while rows are added in front of them."""

    page_size = 100
    page_size_query_param = "pageSize"
    max_page_size = 500
    ordering = ("-at", "-id")


class StreamsView(GenericAPIView[Any]):
    """
    Turns what `services` refuse into answers.

    `needs` names the permissions of each method; the project's permission class reads it.
    """

    needs: Needs = {}
    # OPTIONS would have the framework guess at forms; the description tells better.
    metadata_class = None

    def handle_exception(self, exc: Exception) -> Response:
        match exc:
            case BadValue():
                found = records.reasons(exc)
                exc = ValidationError({camel(n) or "non_field_errors": r for n, r in found.items()})
            case Http404():
                exc = NotFound()  # Its own words name a class of ours.
            case BadDefinition():
                reason = str(exc).removeprefix(f"{exc.field}: ")
                exc = ValidationError({camel(exc.field): [reason]})
            case BadSubject():
                exc = ValidationError({"subject": [str(exc)]})
            case TooLarge():
                exc = ValidationError({"message": [str(exc)]})
            case Unconfirmed():
                exc = ValidationError({"confirm": [str(exc)]})
            case StreamsError():
                return Response({"error": str(exc)}, status=_status(exc))
            case _:
                pass
        return super().handle_exception(exc)

    def one(self, rows: models.QuerySet[Any], **wanted: Any) -> Any:
        """Return the row that the address names, or answer 404."""
        # PostgreSQL takes no zero byte, which a path may hold.
        if any(isinstance(value, str) and "\0" in value for value in wanted.values()):
            raise Http404
        found = rows.filter(**wanted).first()
        if found is None:
            raise Http404
        return found

    def listed(self) -> Response:
        """Return the page that is asked for of what the filters leave."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)

    def asked(self, serializer: serializers.Serializer[Any]) -> Any:
        """Return what the body, or the query, says; what it should not say is a 400."""
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data


def _status(refused: StreamsError) -> int:
    match refused:
        case ConsumerGone():
            return HTTPStatus.NOT_FOUND
        case ApiRefused() if refused.code in NOT_THERE:
            return HTTPStatus.NOT_FOUND
        case ApiRefused() if refused.code not in NOT_NOW:
            return HTTPStatus.CONFLICT
        case Conflict() | Guarded() | PlanChanged() | BadBackup():
            return HTTPStatus.CONFLICT
        case BrokerError():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case _:
            return HTTPStatus.BAD_REQUEST


class Strict(serializers.Serializer[Any]):
    """Refuses what it does not know, by name, instead of passing it over."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(str(name) for name in data if name not in self.fields)
            if unknown:
                raise ValidationError({name: [_("There is no such field.")] for name in unknown})
        return super().to_internal_value(data)


def _printable(value: str) -> None:
    if not value.isprintable():
        raise serializers.ValidationError(_("This holds a control character."))


def text(**arguments: Any) -> serializers.CharField:
    """Return a field for a name or another line of text."""
    return serializers.CharField(validators=[_printable], **{"max_length": LONGEST, **arguments})


def texts(**arguments: Any) -> serializers.ListField:
    return serializers.ListField(child=text(), max_length=MOST_ITEMS, **arguments)


@extend_schema_field({"type": "object", "additionalProperties": {}})
class Configuration(serializers.Field[Any, Any, Any, Any]):
    """A configuration in JetStream's own words. What is in it is checked field by field."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError(_("This is no JSON object."))
        if _letters(data, DEEPEST) > MOST_LETTERS:
            raise serializers.ValidationError(_("This is too much."))
        return data

    def to_representation(self, value: Any) -> Any:
        return value


def _letters(value: Any, deeper: int) -> int:
    """Return about how long the value is; refuse what no database and no server would take."""
    if deeper < 0:
        raise serializers.ValidationError(_("This is nested too deeply."))
    if isinstance(value, str):
        if "\0" in value:
            raise serializers.ValidationError(_("This holds a zero byte."))
        return len(value) + 2
    if isinstance(value, dict):
        return sum(_letters(k, 0) + _letters(v, deeper - 1) for k, v in value.items()) + 2
    if isinstance(value, list):
        return sum(_letters(each, deeper - 1) + 1 for each in value) + 2
    if isinstance(value, int) and abs(value) >= 2**63:
        raise serializers.ValidationError(_("A number in this has more than 64 bits."))
    return 20


class Backend(filters.DjangoFilterBackend):
    """Refuses a parameter that it does not know: a filter that is passed over answers too much."""

    def filter_queryset(
        self, request: Request, queryset: models.QuerySet[Any], view: Any
    ) -> models.QuerySet[Any]:
        chosen = getattr(view, "filterset_class", None)
        known = {"page", "pageSize", "cursor", "format", *(chosen.base_filters if chosen else ())}
        unknown = sorted(name for name in request.query_params if name not in known)
        if unknown:
            raise ValidationError({name: [_("There is no such filter.")] for name in unknown})
        found: models.QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return found


class _Moment(IsoDateTimeField):
    def to_python(self, value: Any) -> Any:
        moment = super().to_python(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as e:
            raise BadValue(self.error_messages["invalid"]) from e


class Moment(filters.IsoDateTimeFilter):
    """A moment. One that lies beyond the calendar in UTC is refused, and does not end in a 500."""

    field_class = _Moment


class MomentField(serializers.DateTimeField):
    """The same in a body or query."""

    def to_internal_value(self, value: Any) -> Any:
        try:
            return super().to_internal_value(value).astimezone(UTC)
        except (OverflowError, ValueError) as e:
            raise serializers.ValidationError(_("This is no moment.")) from e


def line(**arguments: Any) -> filters.CharFilter:
    return filters.CharFilter(max_length=LONGEST, **arguments)


@extend_schema_field(OpenApiTypes.BOOL)
class Whether(filters.TypedChoiceFilter):
    """`true` or `false`; anything else is refused, and not taken for neither."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(
            choices=[("true", "true"), ("false", "false")],
            coerce=lambda said: said == "true",
            **arguments,
        )


def actor(request: Request) -> str:
    """Return who is written down: the user, and the token that acts for them, if one does."""
    name = request.user.get_username()
    prefix = getattr(request.auth, "prefix", "")
    return f"{name} ({prefix}…)" if prefix else name


def camel(name: str) -> str:
    """Return the name of a column as the API has it; what follows a dot stays."""
    column, dot, rest = name.partition(".")
    first, *others = column.split("_")
    return first + "".join(part.capitalize() for part in others) + dot + rest


def no_store(response: Response) -> Response:
    """Keep an answer that holds a secret out of every cache."""
    response["Cache-Control"] = "no-store"
    return response


def rights(model: str, **others: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the usual permissions for the records of a model, with those that differ."""
    return {
        "GET": (f"streams.view_{model}",),
        "POST": (f"streams.add_{model}",),
        "PATCH": (f"streams.change_{model}",),
        "PUT": (f"streams.change_{model}",),
        "DELETE": (f"streams.delete_{model}",),
        **others,
    }


def example(value: Any, *, code: int = 200) -> OpenApiExample:
    return OpenApiExample("An answer", value, response_only=True, status_codes=[str(code)])


def body(value: Any) -> OpenApiExample:
    return OpenApiExample("A body", value, request_only=True)


def describes(  # noqa: PLR0913  each is a part of the description
    shown: Any,
    answer: Any,
    *,
    asks: Any = None,
    given: Any = None,
    code: int = 200,
    away: bool = False,
    **others: Any,
) -> Callable[[AnyCall], AnyCall]:
    """Describe one call: what it takes and answers, each with an example."""
    responses = {code: shown, **others.pop("responses", {})}
    if asks is not None or code != HTTPStatus.OK:
        responses.setdefault(409, CONFLICT)
    if away:
        responses.setdefault(503, AWAY)
    examples = [] if answer is None else [example(answer, code=code)]
    if given is not None:
        examples.append(body(given))
    return extend_schema(request=asks, responses=responses, examples=examples, **others)


def describes_all(
    what: str, shown: Any, row: Any, new: Any, given: Any
) -> Callable[[AnyCall], AnyCall]:
    """Describe the list of some records, and how one is added."""
    return extend_schema_view(
        get=describes(shown(many=True), row, description=f"List {what}."),
        post=describes(
            shown, row, asks=new, given=given, code=201, description=f"Add one of {what}."
        ),
    )


def describes_one(
    what: str, shown: Any, row: Any, change: Any, given: Any
) -> Callable[[AnyCall], AnyCall]:
    """Describe how one record is read, changed and deleted."""
    return extend_schema_view(
        get=describes(shown, row, description=f"Return one of {what}."),
        patch=describes(
            shown,
            row,
            asks=change,
            given=given,
            description=f"Change one of {what}: what is given.",
        ),
        delete=extend_schema(
            responses={204: None, 409: CONFLICT},
            description=f"Delete the record of one of {what}. Nothing in NATS goes with it.",
        ),
    )
