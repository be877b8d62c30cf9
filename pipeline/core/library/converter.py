"""
Values -> protobuf messages.

A message is made anew each time and never pooled: one that is used again never gives back the
memory of the texts it once held (measured: 24 MB per million messages).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, overload

from google.protobuf.message import Message

from pipeline.core.errors import BadOption, DecodeError
from pipeline.core.library import market
from pipeline.core.library.fix import DATA_TAGS, FixFields
from streams.core.proto.market_pb2 import Ticker, Trade
from streams.core.proto.pipeline_pb2 import FixMessage

_MAX_TAG = 999_999_999


class ProtobufConverter:
    @overload
    def convert_to_protobuf(
        self, data_type: Literal["market_data"], data: Mapping[str, Any]
    ) -> Trade | Ticker: ...

    @overload
    def convert_to_protobuf(
        self, data_type: Literal["fix_message"], data: Mapping[Any, Any]
    ) -> FixMessage: ...

    @overload
    def convert_to_protobuf(self, data_type: str, data: Mapping[Any, Any]) -> Message: ...

    def convert_to_protobuf(self, data_type: str, data: Mapping[Any, Any]) -> Message:
        """
        Return a new message; its `SerializeToString()` are the bytes.

        Args:
            data_type: `market_data` (see `market.message`) or `fix_message`: what
                `deserialize_fix` returned, or any mapping of tags to values.

        Raises:
            BadOption: There is no such type of data.
            DecodeError: The data are not of it. The text names the key, never the value.
        """
        convert = _CONVERTERS.get(data_type)
        if convert is None:
            raise BadOption("data_type", f"is none of {', '.join(_CONVERTERS)}")
        if not isinstance(data, Mapping):
            raise DecodeError("shape", f"{data_type}: no mapping")
        return convert(data)


class ProtobufFactory:
    """
    Attributes:
        converter: Holds no state: one will do for all sources.
    """

    def __init__(self) -> None:
        self.converter = ProtobufConverter()


def _fix(data: Mapping[Any, Any]) -> FixMessage:
    pairs = data.pairs if isinstance(data, FixFields) else _pairs(data)
    message = FixMessage()
    if pairs:
        tags, values = zip(*pairs, strict=True)
        message.tags.extend(tags)
        message.values.extend(values)
    return message


def _pairs(data: Mapping[Any, Any]) -> list[tuple[int, bytes]]:
    pairs = []
    for key, value in data.items():
        tag = _tag(key)
        written = _written(tag, value)
        if not written or (b"\x01" in written and tag not in DATA_TAGS.values()):
            raise DecodeError("shape", f"{tag}: empty, or holds a SOH")
        pairs.append((tag, written))
    return pairs


def _tag(key: object) -> int:
    if isinstance(key, str) and key.isascii() and key.isdigit() and len(key) <= len(str(_MAX_TAG)):
        key = int(key)
    if isinstance(key, bool) or not isinstance(key, int) or not 1 <= key <= _MAX_TAG:
        raise DecodeError("shape", "a key that is no tag")
    return key


def _written(tag: int, value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        try:
            return value.encode("latin-1")
        except UnicodeEncodeError:
            raise DecodeError("text", f"{tag}: not ISO 8859-1; give bytes") from None
    if isinstance(value, int) and not isinstance(value, bool):
        return b"%d" % value
    raise DecodeError("shape", f"{tag}: neither text nor bytes nor a whole number")


_CONVERTERS: Mapping[str, Callable[[Mapping[Any, Any]], Message]] = {
    "market_data": market.message,
    "fix_message": _fix,
}
