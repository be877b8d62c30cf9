from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Content(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTENT_UNKNOWN: _ClassVar[Content]
    CONTENT_JSON: _ClassVar[Content]
    CONTENT_TEXT: _ClassVar[Content]
    CONTENT_BINARY: _ClassVar[Content]
CONTENT_UNKNOWN: Content
CONTENT_JSON: Content
CONTENT_TEXT: Content
CONTENT_BINARY: Content

class Envelope(_message.Message):
    __slots__ = ("source_id", "received_ns", "sequence", "content", "payload", "epoch")
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    source_id: str
    received_ns: int
    sequence: int
    content: Content
    payload: bytes
    epoch: int
    def __init__(self, source_id: _Optional[str] = ..., received_ns: _Optional[int] = ..., sequence: _Optional[int] = ..., content: _Optional[_Union[Content, str]] = ..., payload: _Optional[bytes] = ..., epoch: _Optional[int] = ...) -> None: ...

class FixMessage(_message.Message):
    __slots__ = ("tags", "values")
    TAGS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    tags: _containers.RepeatedScalarFieldContainer[int]
    values: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, tags: _Optional[_Iterable[int]] = ..., values: _Optional[_Iterable[bytes]] = ...) -> None: ...
