from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline import ProtobufFactory, ZeroCopyDeserializer
from pipeline.core.errors import DecodeError
from pipeline.core.library.fix import DATA_TAGS

read = ZeroCopyDeserializer().deserialize_fix
convert = ProtobufFactory().converter.convert_to_protobuf


def message(body, begin="FIX.4.4"):
    """Return a whole message; | stands for SOH."""
    data = body if isinstance(body, bytes) else body.replace("|", "\x01").encode()
    head = b"8=%b\x019=%d\x01" % (begin.encode(), len(data))
    whole = head + data
    return whole + b"10=%03d\x01" % (sum(whole) % 256)


W = message(
    "35=W|49=VENUE|56=US|34=7|52=20240101-12:00:00.000|55=EUR/USD|268=2|"
    "269=0|270=1.1|271=1000|269=1|270=1.2|271=2000|"
)


def reason(raw):
    with pytest.raises(DecodeError) as caught:
        read(raw)
    return caught.value.reason


def test_fields_are_found_by_their_tag():
    fields = read(W)

    assert (fields[8], fields[35], fields[55], fields["34"]) == ("FIX.4.4", "W", "EUR/USD", "7")
    assert fields.get(999) is None
    assert 55 in fields
    assert 999 not in fields


def test_order_and_repeated_tags_are_kept():
    fields = read(W)

    assert fields.all(270) == ["1.1", "1.2"]
    assert [tag for tag, _ in fields.pairs][7:14] == [55, 268, 269, 270, 271, 269, 270]
    assert b"".join(b"%d=%b\x01" % pair for pair in fields.pairs) == W
    assert list(fields)[:4] == [8, 9, 35, 49]
    assert dict(fields)[270] == "1.1"


def test_a_tag_is_not_found_inside_of_another():
    fields = read(message("35=8|155=no|58=55=neither|"))

    assert 55 not in fields
    assert 5 not in fields
    assert fields[58] == "55=neither"


def test_data_may_hold_any_byte():
    inner = b"a\x0155=FAKE\x01b="
    fields = read(message(b"35=B\x0195=%d\x0196=%b\x0155=REAL\x01" % (len(inner), inner)))

    assert fields[55] == "REAL"
    assert dict(fields.pairs)[96] == inner


def test_a_length_without_its_data_is_a_field_like_others():
    assert read(message("35=B|95=3|55=X|"))[55] == "X"


@pytest.mark.parametrize(
    "body", ["35=B|95=9|96=abc|", "35=B|95=x|96=abc|", "35=B|95=2|96=abc|", "35=B|95=0|96=|"]
)
def test_data_of_another_length_than_said_are_refused(body):
    assert reason(message(body)) == "shape"


@pytest.mark.parametrize(
    "body",
    [
        "35=W|55|",
        "35=W|55=|",
        "35=W|=5|",
        "35=W|x=5|",
        "35=W|05=5|",
        "35=W||",
        "35=W|1234567890=5|",
    ],
)
def test_what_is_no_field_is_refused(body):
    assert reason(message(body)) == "shape"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"8=FIX.4.4\x01",
        b"hello",
        W[1:],
        W[:-1],
        W + b"8",
        W + W,
        W.replace(b"9=", b"9=0", 1)[:-1],
        W.replace(b"8=FIX.4.4", b"8=FIX.4.44"),
        W.replace(b"\x019=", b"\x019=-"),
        W.replace(b"10=", b"11="),
        message("34=1|35=W|"),
        message(""),
    ],
)
def test_what_is_no_whole_message_is_refused(raw):
    assert reason(raw) == "frame"


def test_a_wrong_checksum_is_refused():
    assert reason(W.replace(b"EUR/USD", b"EUR/USC")) == "checksum"


def test_a_message_beyond_the_cap_is_refused_unread():
    with pytest.raises(DecodeError) as caught:
        ZeroCopyDeserializer(max_buffer_size=len(W) - 1).deserialize_fix(W)

    assert caught.value.reason == "size"
    assert ZeroCopyDeserializer(max_buffer_size=len(W)).deserialize_fix(W)[35] == "W"


def test_a_view_may_be_overwritten_afterwards():
    buffer = bytearray(W)

    fields = read(memoryview(buffer))
    buffer[:] = bytes(len(buffer))

    assert fields[55] == "EUR/USD"


def test_a_login_is_not_shown():
    fields = read(message("35=A|553=reader|554=hush|"))

    assert "hush" not in repr(fields)


def test_it_becomes_columns_from_which_the_message_can_be_written_again():
    found = convert("fix_message", read(W))

    again = b"".join(b"%d=%b\x01" % pair for pair in zip(found.tags, found.values, strict=True))
    assert again == W


def test_any_mapping_of_tags_becomes_columns():
    found = convert("fix_message", {35: "D", "38": 100, 58: b"\xff"})

    assert list(found.tags) == [35, 38, 58]
    assert list(found.values) == [b"D", b"100", b"\xff"]


@pytest.mark.parametrize(
    "data",
    [{0: "x"}, {"x": "x"}, {True: "x"}, {35: ""}, {35: None}, {35: 1.5}, {35: "a\x01b"},
     {58: "\u20ac"}, {10**9: "x"}, {"1" * 5000: "x"}, [], None, {"-5": "x"}],
)  # fmt: skip
def test_what_is_no_message_is_our_error(data):
    with pytest.raises(DecodeError):
        convert("fix_message", data)


tags = st.integers(1, 9999).filter(lambda tag: tag not in DATA_TAGS)
values = st.binary(min_size=1, max_size=20).filter(lambda value: b"\x01" not in value)


@given(st.lists(st.tuples(tags, values), max_size=20))
def test_every_message_is_read_as_it_was_written(pairs):
    body = b"35=W\x01" + b"".join(b"%d=%b\x01" % pair for pair in pairs)

    fields = read(message(body))

    written = [(8, b"FIX.4.4"), (9, b"%d" % len(body)), (35, b"W"), *pairs]
    assert fields.pairs[:-1] == written
    for tag, _ in written:
        assert fields[tag].encode("latin-1") == next(v for t, v in written if t == tag)


@given(st.binary(max_size=200))
@example(b"8=FIX.4.4\x019=999999999\x01")
def test_any_bytes_are_fields_or_our_error(raw):
    for attempt in (raw, message(raw), message(b"35=W\x01" + raw), message(b"35=B\x0195=" + raw)):
        try:
            fields = read(attempt)
        except DecodeError:
            continue
        assert b"".join(b"%d=%b\x01" % pair for pair in fields.pairs) == attempt
        assert all(fields.all(tag)[0] == fields[tag] for tag in fields)
        convert("fix_message", fields)
