"""The broker's YAML file, in and out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from streams.api.base import CONFLICT, StreamsView, Strict, actor, example, text
from streams.models import Cluster
from streams.services import brokerfiles, servers

YAML = "application/yaml"
FILE = """\
message-broker-service:
  auto_create_streams: true
  nats:
    nats_port: 4222
    jetstream_max_memory: "1GB"
    streams:
      CUSTOM_STREAM: {subjects: ["custom.>"], retention: "limits", max_age: 7200, storage: "file"}
"""


class YamlParser(BaseParser):
    """The bytes of a file; what is in them is for `services.brokerfiles` to say."""

    media_type = YAML

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)


class YamlRenderer(BaseRenderer):
    """Stands for the format in the description; the answer is written past it."""

    media_type = YAML
    format = "yaml"


class Whatever(BaseContentNegotiation):
    """The answer is YAML, or JSON where it is a refusal; whatever was asked for."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class ClusterNameSerializer(Strict):
    cluster = text(default=servers.OWN_NODE, max_length=64, help_text="Whose records; its name.")


class FileQuerySerializer(ClusterNameSerializer):
    dryRun = serializers.BooleanField(
        default=False, help_text="Only say what would become of each object."
    )


class FileItemSerializer(serializers.Serializer[brokerfiles.Item]):
    kind = serializers.CharField()
    name = serializers.CharField()
    action = serializers.CharField(help_text="created, changed or unchanged")
    fields = serializers.ListField(  # type: ignore[assignment]  # DRF takes it out of the class
        child=serializers.CharField(), help_text="What differs."
    )


class FileReportSerializer(serializers.Serializer[brokerfiles.Report]):
    dryRun = serializers.BooleanField(source="dry_run")
    items = FileItemSerializer(many=True)
    withoutPassword = serializers.ListField(
        source="without_password",
        child=serializers.CharField(),
        help_text="Users who cannot log in before somebody gives them a password.",
    )


REPORT = {
    "dryRun": True,
    "items": [
        {"kind": "cluster", "name": "tickplane", "action": "changed", "fields": ["max_payload"]},
        {"kind": "stream", "name": "CUSTOM_STREAM", "action": "created", "fields": []},
    ],
    "withoutPassword": [],
}


class Export(StreamsView):
    needs = {"GET": ("streams.view_cluster", "streams.view_brokeruser", "streams.view_stream")}
    content_negotiation_class = Whatever

    @extend_schema(
        parameters=[ClusterNameSerializer],
        responses={(200, YAML): OpenApiTypes.STR},
        examples=[OpenApiExample("A file", FILE, response_only=True, media_type=YAML)],
    )
    def get(self, request: Request) -> HttpResponse:
        """Return the records of a cluster and all declared streams as a file, without passwords."""
        asked = self.asked(ClusterNameSerializer(data=request.query_params.dict()))
        row = self.one(Cluster.objects.all(), name=asked["cluster"])
        return HttpResponse(
            brokerfiles.export_file(cluster=row.name),
            content_type=f"{YAML}; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="broker.yaml"'},
        )


class Take(StreamsView):
    needs = {
        "POST": tuple(
            f"streams.{verb}_{model}"
            for model in ("cluster", "node", "brokeruser", "tlsfiles", "stream")
            for verb in ("add", "change")
        )
    }
    parser_classes = [YamlParser]
    serializer_class = FileReportSerializer

    @extend_schema(
        request={YAML: OpenApiTypes.STR},
        parameters=[FileQuerySerializer],
        responses={200: FileReportSerializer, 409: CONFLICT},
        examples=[
            OpenApiExample("A file", FILE, request_only=True, media_type=YAML),
            example(REPORT),
        ],
    )
    def post(self, request: Request) -> Response:
        """Take a file into the records of a cluster: all of it, or nothing if a value is wrong."""
        asked = self.asked(FileQuerySerializer(data=request.query_params.dict()))
        body: Any = request.data
        if not isinstance(body, bytes):
            body = b""  # What was empty is not parsed, and comes as something else.
        report = brokerfiles.import_file(
            text=_decoded(body),
            cluster=asked["cluster"],
            dry_run=asked["dryRun"],
            actor=actor(request),
        )
        return Response(FileReportSerializer(report).data)


def _decoded(body: bytes) -> str:
    if len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise ValidationError({"file": [_("This is too long.")]})
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise ValidationError({"file": [_("This is no text in UTF-8.")]}) from e
