"""Recorded FIX messages through the library's deserialiser and converter."""

from __future__ import annotations

import gzip
import re
from collections import Counter

import pytest

from pipeline import ProtobufFactory, ZeroCopyDeserializer

pytestmark = pytest.mark.recorded

MESSAGE = re.compile(rb"8=FIX.*?\x0110=\d{3}\x01", re.DOTALL)


def test_every_recorded_fix_message_is_read_and_can_be_written_again(recorded_data):
    stream = gzip.decompress((recorded_data / "hffix/fix.5.0.set.1.gz").read_bytes())
    messages = MESSAGE.findall(stream)
    read = ZeroCopyDeserializer().deserialize_fix
    convert = ProtobufFactory().converter.convert_to_protobuf
    kinds: Counter[str] = Counter()
    entries = 0

    for message in messages:
        fields = read(message)
        kinds[fields[35]] += 1
        told = int(fields.get(268, "0"))
        assert told == len(fields.all(269))
        entries += told
        columns = convert("fix_message", fields)
        pairs = zip(columns.tags, columns.values, strict=True)
        assert b"".join(b"%d=%b\x01" % pair for pair in pairs) == message

    assert b"".join(messages) == stream
    assert kinds == {"X": 11_365, "0": 2_523}
    assert entries == 14_375
