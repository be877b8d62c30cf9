from __future__ import annotations

import json
from array import array
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline import ZeroCopyDeserializer
from pipeline.core.errors import BadOption, DecodeError

deserializer = ZeroCopyDeserializer(max_buffer_size=128 * 1024)
read = deserializer.deserialize_websocket


def reason(raw):
    with pytest.raises(DecodeError) as caught:
        read(raw)
    return caught.value.reason


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, bytes.decode])
def test_json_is_read_from_whatever_holds_it(kind):
    assert read(kind(b'{"symbol": "X", "n": [1, null]}')) == {"symbol": "X", "n": [1, None]}


def test_numbers_are_exact():
    found = read(b'{"price": 0.1, "rate": 1e-18, "id": 123456789012345678901}')

    assert found == {"price": Decimal("0.1"), "rate": Decimal("1e-18"), "id": 123456789012345678901}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "json"),
        (b"hello", "json"),
        (b"NaN", "json"),
        (b'{"a":1} {', "json"),
        (b'"\xff"', "text"),
        ("\ud800", "text"),
        (b"[" * 100_000, "nesting"),
        (b"1.5e99999999999999999999", "number"),
        (b"1" * 5_000, "shape"),
        (b"1" * (128 * 1024 + 1), "size"),
        (memoryview(b"12345678")[::2], "shape"),
    ],
)
def test_what_is_wrong_is_our_error_by_its_reason(raw, expected):
    assert reason(raw) == expected


def test_the_cap_counts_bytes():
    small = ZeroCopyDeserializer(max_buffer_size=8)

    assert small.deserialize_websocket('"\u20ac\u20ac"') == "\u20ac\u20ac"
    for raw in ('"\u20ac\u20ac\u20ac"', memoryview(array("Q", [0, 0]))):
        with pytest.raises(DecodeError, match="size"):
            small.deserialize_websocket(raw)


@pytest.mark.parametrize("bound", [0, -1, 1.5, True, None, "128"])
def test_a_cap_that_is_none_is_refused(bound):
    with pytest.raises(BadOption, match="max_buffer_size"):
        ZeroCopyDeserializer(max_buffer_size=bound)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_every_json_is_read_as_it_was_written(value):
    assert read(json.dumps(value)) == value


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b'{"a": 1e400}')
@example(b"-0.0e-0")
def test_any_bytes_are_a_value_or_our_error(raw):
    for attempt in (raw, b'{"price":' + raw + b"}"):
        with suppress(DecodeError):
            read(attempt)
