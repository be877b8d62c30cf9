"""
Bytes of any source -> values, with a cap.

Without a copy between the buffer of the socket and the typed decoder, which is what can be had:
the kernel has copied the bytes once, and what is decoded are new objects.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

import msgspec

from pipeline.core.errors import DecodeError
from pipeline.core.library.config import positive
from pipeline.core.library.fix import FixFields
from pipeline.core.venues.reading import parsed

MAX_BUFFER = 128 * 1024

Raw: TypeAlias = bytes | bytearray | memoryview | str


class ZeroCopyDeserializer:
    """What a message says. Keeps nothing of it, so one will do for all sources."""

    def __init__(self, max_buffer_size: int = MAX_BUFFER) -> None:
        """
        Args:
            max_buffer_size: Bytes; longer messages are refused unread.

        Raises:
            BadOption: It is no positive whole number.
        """
        self._max = positive("max_buffer_size", max_buffer_size)
        self._json = msgspec.json.Decoder(float_hook=_decimal)

    def deserialize_websocket(self, raw: Raw) -> Any:
        """
        Return the JSON value of a message. Numbers with a point are exact: Decimal.

        Raises:
            DecodeError: `size`, `json`, `shape`, `text`, `number` or `nesting`.
        """
        return parsed(self._json, self._view(raw))

    def deserialize_fix(self, raw: Raw) -> FixFields:
        """
        Return the fields of one whole message; its length and checksum are right.

        Bytes are kept as they are; a view is copied once, because what it shows may be gone soon.

        Raises:
            DecodeError: `size`, `frame`, `checksum`, `shape` or `text`.
        """
        view = self._view(raw)
        return FixFields(view if isinstance(view, bytes) else bytes(view))

    def _view(self, raw: Raw) -> bytes | memoryview:
        if isinstance(raw, str):
            try:
                raw = raw.encode()
            except UnicodeEncodeError:
                raise DecodeError("text", "half a surrogate pair") from None
        elif isinstance(raw, bytearray):
            raw = memoryview(raw)
        elif isinstance(raw, memoryview) and not raw.contiguous:
            raise DecodeError("shape", "a view with gaps")
        size = raw.nbytes if isinstance(raw, memoryview) else len(raw)
        if size > self._max:
            raise DecodeError("size", f"{size} bytes; at most {self._max}")
        return raw


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise DecodeError("number", "an exponent beyond all measure") from None
