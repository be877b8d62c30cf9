"""What the pipeline gives to a program."""

from __future__ import annotations

from typing import Any

import msgspec
from google.protobuf.message import DecodeError as ProtobufError

from streams.core.market import Undecodable, decoded
from streams.core.proto.pipeline_pb2 import Envelope
from streams.core.templates import STANDARD

ENVELOPE = "envelope"


class Item(msgspec.Struct, frozen=True, gc=False):
    """
    Attributes:
        protobuf_data: One message; `data_type` says which.
        subject: Of market data: where it would stand on NATS. Empty for an `Envelope`.
    """

    source_id: str
    protobuf_data: bytes
    subject: str = ""

    @property
    def data_type(self) -> str:
        """`trade`, `ticker`, … as `streams.core.market.KINDS` has them, or `envelope`."""
        place = STANDARD.parse(self.subject) if self.subject else None
        return ENVELOPE if place is None else place.data_type

    def message(self) -> Any:
        """
        Return what the bytes say: a `MarketMessage` or an `Envelope`.

        Raises:
            Undecodable: They were not made here.
        """
        if self.subject:
            return decoded(self.data_type, self.protobuf_data)
        try:
            return Envelope.FromString(self.protobuf_data)
        except ProtobufError as e:
            raise Undecodable(f"{ENVELOPE}: {e}") from e
