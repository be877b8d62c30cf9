"""How request bodies are read."""

from __future__ import annotations

from typing import Any

import msgspec
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser


class BoundedJSONParser(BaseParser):
    """
    JSON bodies, by msgspec.

    The framework's own parser answers 500 to a few thousand nested brackets, and takes NaN.
    Length is bounded by DATA_UPLOAD_MAX_MEMORY_SIZE.
    """

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            return msgspec.json.decode(stream.read())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise ParseError(_("The body is not JSON: %(reason)s") % {"reason": e}) from e
