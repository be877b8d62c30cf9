"""How the subjects of market data are built."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from streams.api.base import CONFLICT, StreamsView, Strict, actor, describes, text
from streams.core.templates import LONGEST, TYPES
from streams.services import templates


class TemplateSerializer(serializers.Serializer[templates.Row]):
    dataType = serializers.CharField(source="data_type")
    template = serializers.CharField()
    default = serializers.CharField(help_text="The scheme's own.")
    pattern = serializers.CharField(help_text="What NATS matches its subjects with.")
    stored = serializers.BooleanField(help_text="Whether a declared stream covers them.")


class TemplatesSerializer(serializers.Serializer[Any]):
    templates = TemplateSerializer(many=True)


class NewTemplateSerializer(Strict):
    template = text(max_length=LONGEST)


TEMPLATE = {
    "dataType": "trade",
    "template": "market.{exchange}.{symbol}.{type}",
    "default": "market.{exchange}.{symbol}.{type}",
    "pattern": "market.*.*.trade",
    "stored": True,
}


class Templates(StreamsView):
    needs = {"GET": ("streams.view_subjecttemplate",)}
    serializer_class = TemplatesSerializer

    @describes(TemplatesSerializer, {"templates": [TEMPLATE]}, operation_id="broker_templates_list")
    def get(self, request: Request) -> Response:
        """List how the subjects of each type of data are built."""
        return Response(TemplatesSerializer({"templates": templates.rows()}).data)


class Template(StreamsView):
    needs = {
        "GET": ("streams.view_subjecttemplate",),
        "PUT": ("streams.change_subjecttemplate",),
        "DELETE": ("streams.change_subjecttemplate",),
    }
    serializer_class = TemplateSerializer

    @describes(TemplateSerializer, TEMPLATE)
    def get(self, request: Request, data_type: str) -> Response:
        """Return how the subjects of one type of data are built."""
        return _shown(data_type)

    @describes(
        TemplateSerializer,
        TEMPLATE,
        asks=NewTemplateSerializer,
        given={"template": "market.{exchange}.{symbol}.{type}"},
    )
    def put(self, request: Request, data_type: str) -> Response:
        """Build them otherwise. Sources publish to the new subjects from then on."""
        asked = self.asked(NewTemplateSerializer(data=request.data))
        _known(data_type)
        templates.edit(data_type=data_type, template=asked["template"], actor=actor(request))
        return _shown(data_type)

    @extend_schema(responses={204: None, 409: CONFLICT})
    def delete(self, request: Request, data_type: str) -> Response:
        """Go back to the template of the scheme."""
        _known(data_type)
        templates.reset(data_type=data_type, actor=actor(request))
        return Response(status=HTTPStatus.NO_CONTENT)


def _known(data_type: str) -> None:
    if data_type not in TYPES:
        raise Http404


def _shown(data_type: str) -> Response:
    found = {row.data_type: row for row in templates.rows()}
    if data_type not in found:
        raise Http404
    return Response(TemplateSerializer(found[data_type]).data)
