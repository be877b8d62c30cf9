from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.recording import BadLine, Form, RecordedFrame, form_of, parse

FRAME = b'{"stream":"btcusdt@trade","data":{"t":1}}'


def test_an_hftbacktest_line_has_nanoseconds():
    line = b"1723161253937085768 " + FRAME

    assert form_of(line) is Form.HFTBACKTEST
    assert parse(Form.HFTBACKTEST, line) == RecordedFrame(
        1723161253937085768, "btcusdt@trade", FRAME
    )


def test_a_cryptofeed_line_has_seconds_and_loses_none_of_their_fraction():
    line = b"1633998512.0633569: " + FRAME

    assert form_of(line) is Form.CRYPTOFEED
    found = parse(Form.CRYPTOFEED, line)
    assert found == RecordedFrame(1633998512_063_356_900, "btcusdt@trade", FRAME)


def test_a_line_that_tells_of_a_connection_holds_no_frame():
    line = b"wss://stream.binance.com:9443/stream?streams=x <-> 1633998511.15"

    assert form_of(line) is Form.CRYPTOFEED
    assert parse(Form.CRYPTOFEED, line) is None


def test_a_frame_of_no_stream_is_passed_over():
    line = b'1723161253937085768 {"lastUpdateId":1,"bids":[],"asks":[]}'

    assert parse(Form.HFTBACKTEST, line) is None


def test_a_frame_is_kept_byte_for_byte():
    spaced = b'{ "data" : {},\t"stream" :"x@trade" } '

    assert parse(Form.HFTBACKTEST, b"1 " + spaced) == RecordedFrame(1, "x@trade", spaced)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(
    "line",
    [b"x", b"1 2", b"1723161253937085768 {", b"1.5: {", b"1.5: [1", b"1 {}{}", b'1 {"a":\xff}'],
)
def test_another_line_is_refused(form, line):
    with pytest.raises(BadLine):
        parse(form, line)


@given(st.sampled_from(Form), st.binary())
def test_any_line_is_a_frame_nothing_or_refused(form, line):
    try:
        found = parse(form, line)
    except BadLine:
        return

    assert found is None or line.endswith(found.data)
