from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.recording import (
    BadLine,
    Form,
    RecordedAnswer,
    RecordedFrame,
    Speech,
    form_of,
    parse,
)  # fmt: skip

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


def test_a_snapshot_of_a_book_is_an_answer_without_an_address():
    body = b'{"lastUpdateId":1,"bids":[],"asks":[]}'

    assert parse(Form.HFTBACKTEST, b"1723161253937085768 " + body) == RecordedAnswer(
        1723161253937085768, "", {}, body
    )


def test_an_answer_over_rest_has_its_path_and_what_was_asked_for():
    line = b'https://x.com/api/v3/depth?symbol=A&limit=5 -> 16.25: {"bids":[]}'

    assert form_of(line) is Form.CRYPTOFEED
    assert parse(Form.CRYPTOFEED, line) == RecordedAnswer(
        16_250_000_000, "/api/v3/depth", {"symbol": "A", "limit": "5"}, b'{"bids":[]}'
    )


@pytest.mark.parametrize(
    ("frame", "stream", "speech"),
    [
        (b'{"arg":{"channel":"books","instId":"A-B"},"data":[{}]}', "books:A-B", Speech.OKX),
        (
            b'{"method":"subscription","params":{"channel":"book.A.raw","data":{}}}',
            "book.A.raw",
            Speech.DERIBIT,
        ),
    ],
)
def test_frames_of_other_exchanges_have_their_channel(frame, stream, speech):
    assert parse(Form.CRYPTOFEED, b"1.5: " + frame) == RecordedFrame(
        1_500_000_000, stream, frame, speech
    )


@pytest.mark.parametrize(
    "frame",
    [
        b'{"event":"subscribe","arg":{"channel":"books","instId":"A-B"}}',
        b'{"jsonrpc":"2.0","id":0,"result":["book.A.raw"]}',
        b'{"arg":[],"data":1}',
        b"[1,2]",
    ],
)
def test_what_is_no_data_is_passed_over(frame):
    assert parse(Form.CRYPTOFEED, b"1.5: " + frame) is None


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

    if isinstance(found, RecordedAnswer):
        assert line.endswith(found.body)
    else:
        assert found is None or line.endswith(found.data)
