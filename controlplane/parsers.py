"""How request bodies are read."""

from __future__ import annotations

from typing import Any

import msgspec
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser


class TooLong(APIException):
    status_code = 413
    default_detail = gettext_lazy("The body is too long.")
    default_code = "too_long"


class BoundedJSONParser(BaseParser):
    """
    JSON bodies, by msgspec.

    The framework's own parser answers 500 to a few thousand nested brackets, and takes NaN.
    Django bounds the bodies that it reads itself by DATA_UPLOAD_MAX_MEMORY_SIZE; we bound ours.
    """

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLong
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise ParseError(_("The body is not JSON: %(reason)s") % {"reason": e}) from e
