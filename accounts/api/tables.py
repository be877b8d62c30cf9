"""Accounts as CSV files, in and out."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import IO, Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import services
from accounts.api import examples
from accounts.api.base import AccountsView, Strict, actor
from accounts.api.filters import AccountFilter, Backend
from accounts.core import roster
from accounts.core.roster import BadFile
from accounts.models import AccountQuerySet
from accounts.services import exporting, importing

CSV = (
    "server,login,label,group,tags,provider,update_s,password\r\n"
    "Broker-Live,261632689,Desk 4,Desk,live;eur,push,5,\r\n"
)


class CsvParser(BaseParser):
    """The bytes of a file; what is in them is for `services.importing` to say."""

    media_type = "text/csv"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return stream.read(roster.LONGEST_TEXT + 1)


class CsvRenderer(BaseRenderer):
    """Stands for the format in the description; the answer is written past it."""

    media_type = "text/csv"
    format = "csv"


class DryRunSerializer(Strict):
    dryRun = serializers.BooleanField(
        default=False, help_text="Only say what would become of each line."
    )


class LineSerializer(serializers.Serializer[importing.RowResult]):
    line = serializers.IntegerField()
    account = serializers.CharField()
    outcome = serializers.CharField(help_text="created, updated or unchanged")
    columns = serializers.ListField(child=serializers.CharField(), help_text="What changes.")


class LineErrorSerializer(serializers.Serializer[importing.RowError]):
    line = serializers.IntegerField()
    column = serializers.CharField(help_text="Empty: the line as a whole.")
    message = serializers.CharField()


class ReportSerializer(serializers.Serializer[Any]):
    dryRun = serializers.BooleanField()
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    groups = serializers.ListField(child=serializers.CharField(), help_text="Those made.")
    tags = serializers.ListField(child=serializers.CharField(), help_text="Those made.")
    rows = LineSerializer(many=True)


class BadTableSerializer(serializers.Serializer[Any]):
    error = serializers.CharField()
    errors = LineErrorSerializer(many=True)  # type: ignore[assignment]  # DRF takes it out of the class


REPORT = {
    "dryRun": True,
    "created": 1,
    "updated": 0,
    "unchanged": 0,
    "groups": [],
    "tags": ["eur"],
    "rows": [
        {
            "line": 2,
            "account": "Broker-Live/261632689",
            "outcome": "created",
            "columns": ["label", "group", "tags", "update_s"],
        }
    ],
}
BAD_TABLE = OpenApiResponse(
    BadTableSerializer,
    description="Nothing was written. A cell is never repeated.",
    examples=[
        OpenApiExample(
            "A bad line",
            {
                "error": "line 2, login: is empty",
                "errors": [{"line": 2, "column": "login", "message": "is empty"}],
            },
        )
    ],
)


class Import(AccountsView):
    needs = {"POST": ("accounts.add_account", "accounts.change_account")}
    parser_classes = [CsvParser]
    serializer_class = ReportSerializer

    @extend_schema(
        request={"text/csv": OpenApiTypes.STR},
        parameters=[DryRunSerializer],
        responses={200: ReportSerializer, 400: BAD_TABLE},
        examples=[
            OpenApiExample("A file", CSV, request_only=True, media_type="text/csv"),
            examples.answered(REPORT),
        ],
    )
    def post(self, request: Request) -> Response:
        """Declare and edit the accounts of a CSV file: all of them, or none if one line is bad."""
        asked = self.asked(DryRunSerializer(data=request.query_params.dict()))
        body: Any = request.data
        if not isinstance(body, bytes):
            body = b""  # What was empty is not parsed, and comes as something else.
        try:
            text = roster.decoded(body)
        except BadFile as e:
            return _refused(str(e), [])
        report = importing.run(text=text, dry_run=asked["dryRun"], actor=actor(request))
        if report.errors:
            first = report.errors[0]
            place = f"line {first.line}" + (f", {first.column}" if first.column else "")
            return _refused(f"{place}: {first.message}", report.errors)
        answer = {
            "dryRun": asked["dryRun"],
            "created": report.created,
            "updated": report.updated,
            "unchanged": report.unchanged,
            "groups": report.groups,
            "tags": report.tags,
            "rows": report.rows,
        }
        return Response(ReportSerializer(answer).data)


def _refused(reason: str, errors: list[importing.RowError]) -> Response:
    body = {"error": reason, "errors": errors}
    return Response(BadTableSerializer(body).data, status=HTTPStatus.BAD_REQUEST)


class Whatever(BaseContentNegotiation):
    """The answer is CSV, or JSON where it is a refusal; whatever was asked for."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class Export(AccountsView):
    filter_backends = [Backend]
    filterset_class = AccountFilter
    content_negotiation_class = Whatever

    def get_queryset(self) -> AccountQuerySet:
        return services.snapshots()

    @extend_schema(
        responses={(200, "text/csv"): OpenApiTypes.STR},
        examples=[
            OpenApiExample("A file", CSV, response_only=True, media_type="text/csv"),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """Return the accounts as a CSV file, filtered as the list is; never a password."""
        accounts = self.filter_queryset(self.get_queryset())
        # Not streamed: where the server is asynchronous, Django would first collect it all, too.
        return HttpResponse(
            "".join(exporting.exported(accounts=accounts)),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="accounts.csv"'},
        )
