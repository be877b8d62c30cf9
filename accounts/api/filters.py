"""Which accounts a list holds, and in which order."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django.core.exceptions import ValidationError as BadValue
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from accounts.core.lifecycle import Connection, Lifecycle
from accounts.models import Account
from accounts.services import queries

LONGEST = 200
# What pages the list, and the framework's own choice of a format.
_OTHERS = ("page", "pageSize", "cursor", "format")


class Backend(filters.DjangoFilterBackend):
    """Refuses a parameter that it does not know: a filter that is passed over answers too much."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> Any:
        known = {*_OTHERS, *view.filterset_class.base_filters}
        unknown = sorted(name for name in request.query_params if name not in known)
        if unknown:
            raise ValidationError({name: [_("There is no such filter.")] for name in unknown})
        return super().filter_queryset(request, queryset, view)


class Ordering(filters.OrderingFilter):
    """Ends with the row's number, so that no account falls between two pages."""

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        names = [self.get_ordering_value(name) for name in value or ()]
        return qs.order_by(*names, "id") if names else qs


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


@extend_schema_field(OpenApiTypes.BOOL)
class Whether(filters.TypedChoiceFilter):
    """`true` or `false`; anything else is refused, and not taken for neither."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(
            choices=choices("true", "false"), coerce=lambda said: said == "true", **arguments
        )


def choices(*values: str) -> list[tuple[str, str]]:
    return [(value, value) for value in values]


class AccountFilter(filters.FilterSet):
    lifecycle = filters.MultipleChoiceFilter(choices=choices(*Lifecycle))
    connection = filters.MultipleChoiceFilter(choices=choices(*Connection))
    group = filters.CharFilter(field_name="group__name", max_length=LONGEST)
    tag = filters.CharFilter(field_name="tags__name", max_length=LONGEST)
    server = filters.CharFilter(max_length=LONGEST)
    login = filters.NumberFilter(min_value=1, max_value=2**63 - 1, decimal_places=0, max_digits=19)
    provider = filters.MultipleChoiceFilter(choices=choices(*Account.Provider.values))
    olderThanS = filters.NumberFilter(
        method="by_age",
        min_value=0,
        max_value=10**9,
        help_text="Accounts of which no state came for so many seconds, or ever.",
    )
    q = filters.CharFilter(
        method="by_words",
        max_length=LONGEST,
        help_text="Words, each of which is part of server, login, label, group or a tag.",
    )
    ordering = Ordering(
        fields={
            "login": "login",
            "server": "server",
            "label": "label",
            "lifecycle": "lifecycle",
            "connection": "connection",
            "last_state_at": "lastStateAt",
            "last_published_at": "lastPublishedAt",
            "created_at": "createdAt",
        }
    )

    def by_age(self, found: QuerySet[Account], _name: str, seconds: Any) -> QuerySet[Account]:
        return queries.older_than(found, float(seconds))

    def by_words(self, found: QuerySet[Account], _name: str, words: str) -> QuerySet[Account]:
        for word in words.split():
            columns = ("server", "login", "label", "group__name", "tags__name")
            either = Q()
            for column in columns:
                either |= Q(**{f"{column}__icontains": word})
            # By number, because several tags of one account may match.
            found = found.filter(pk__in=Account.objects.filter(either).order_by().values("pk"))
        return found
