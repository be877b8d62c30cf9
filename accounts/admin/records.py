"""What pages have in common that only show what the machine wrote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin.shown import words


class Styles:
    css = {"all": ["accounts/admin.css"]}


# As many as a column of whole numbers surely holds.
MOST_DIGITS = 19


class Written(admin.ModelAdmin[Any]):
    """Rows that nobody adds, alters or deletes by hand."""

    show_full_result_count = False  # A table of events is too long to count on each look.
    list_per_page = 50

    class Media(Styles):
        pass

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class WordsFilter(admin.ChoicesFieldListFilter):
    """States as the badges write them."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for number, choice in enumerate(super().choices(changelist)):
            # The first is "All".
            yield choice | {"display": words(str(choice["display"]))} if number else choice


class DateFilter(admin.DateFieldListFilter):
    """When a row was written."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.title = _("date")


class DoneFilter(admin.SimpleListFilter):
    """Whether a moment has come. `column` and `names` say which."""

    column = ""
    names: tuple[Any, Any]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("0", self.names[0]), ("1", self.names[1])]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("0", "1"):
            return queryset
        return queryset.filter(**{f"{self.column}__isnull": self.value() == "0"})


class RangeFilter(admin.ListFilter):
    """Two fields, from and to, for a column of whole numbers. `title` and `name` say which."""

    template = "admin/accounts/range_filter.html"
    name = ""

    def __init__(
        self,
        request: HttpRequest,
        params: dict[str, list[str]],
        model: type[Model],
        model_admin: admin.ModelAdmin[Any],
    ) -> None:
        super().__init__(request, params, model, model_admin)
        for parameter in self._parameters():
            number = params.pop(parameter, [""])[-1]
            # More digits than a column holds would be an error of the database.
            if number.isascii() and number.isdecimal() and len(number) < MOST_DIGITS:
                self.used_parameters[parameter] = int(number)

    def _parameters(self) -> tuple[str, str]:
        return (f"{self.name}__gte", f"{self.name}__lte")

    def expected_parameters(self) -> list[str | None]:
        return list(self._parameters())

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(**self.used_parameters)

    def choices(self, changelist: Any) -> Any:
        """Return one choice: the fields, and what else must stay as it is."""
        others = {SEARCH_VAR: changelist.query, **changelist.get_filters_params()}
        for parameter in self._parameters():
            others.pop(parameter, None)
        yield {
            "fields": [
                {"name": parameter, "value": self.used_parameters.get(parameter, "")}
                for parameter in self._parameters()
            ],
            "others": [
                (name, value)
                for name, values in others.items()
                for value in (values if isinstance(values, list) else [values])
                if value
            ],
            "selected": bool(self.used_parameters),
            "query_string": changelist.get_query_string(remove=self.expected_parameters()),
        }
