"""How REST answers are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer


def _plain(value: object) -> object:
    if isinstance(value, Promise):
        return str(value)
    raise NotImplementedError(f"{type(value)} has no JSON")


_encode = msgspec.json.Encoder(decimal_format="number", enc_hook=_plain).encode


class ExactJSONRenderer(BaseRenderer):
    """
    JSON, by msgspec: a decimal becomes a number of exactly its digits.

    The framework's own writes it as text, or as a float when told to: 10000.00 would be 10000.0.
    """

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else _encode(data)
