"""How the API's description is made from its views: scopes and refusals are the same for all."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers

from controlplane import access

EXAMPLES = {
    HTTPStatus.BAD_REQUEST: {
        "error": "login: This field is required.",
        "fields": {"login": ["This field is required."]},
    },
    HTTPStatus.UNAUTHORIZED: {"error": "This is no API token, or it has ended."},
    HTTPStatus.FORBIDDEN: {"error": "You do not have permission to perform this action."},
    HTTPStatus.NOT_FOUND: {"error": "No Account matches the given query."},
}


class ErrorSerializer(serializers.Serializer[Any]):
    """What every refusal looks like."""

    error = serializers.CharField(help_text="What is wrong, in words.")
    fields = serializers.DictField(  # type: ignore[assignment]  # DRF takes it out of the class
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="What is wrong with each field, where the body or the query is to blame.",
    )


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "controlplane.authentication.TokenAuthentication"
    name = "apiToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": f"`tp_…`, with scopes among {', '.join(access.SCOPES)}.",
        }


class Schema(AutoSchema):
    """Adds to each call the scope that a token needs, and how it is refused."""

    def get_description(self) -> str:  # type: ignore[override]  # as the library's own does
        described = super().get_description()
        scope = access.scope(type(self.view).__module__, self.method)
        if scope is None or not self._asks_who():
            return described
        return f"{described}\n\nScope of an API token: `{scope}`.".strip()

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:
            answers = operation["responses"]
            for code in self._refusals(operation):
                if str(code.value) not in answers:
                    answers[str(code.value)] = self._get_response_for_code(  # type: ignore[no-untyped-call]
                        _refusal(code), str(code.value)
                    )
            operation["responses"] = dict(sorted(answers.items()))
        return operation

    def _refusals(self, operation: dict[str, Any]) -> list[HTTPStatus]:
        places = {parameter["in"] for parameter in operation.get("parameters", ())}
        found = []
        if "requestBody" in operation or "query" in places:
            found.append(HTTPStatus.BAD_REQUEST)
        if self._asks_who():
            found += [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN]
        if "path" in places:
            found.append(HTTPStatus.NOT_FOUND)
        return found

    def _asks_who(self) -> bool:
        return bool(self.view.permission_classes)


def _refusal(code: HTTPStatus) -> OpenApiResponse:
    return OpenApiResponse(
        ErrorSerializer,
        description=code.phrase,
        examples=[OpenApiExample(code.phrase, EXAMPLES[code], status_codes=[str(code.value)])],
    )
