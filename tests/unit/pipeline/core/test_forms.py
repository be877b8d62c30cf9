"""Reading frames by their form gives what reading them closely gives; always."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.errors import DecodeError
from pipeline.core.venues.binance.decode import Decoder
from pipeline.core.venues.forms import MAX_FORMS, Forms, Noting


def heard(decoder, frame):
    """Return what it says, or the reason why it says nothing."""
    try:
        return decoder.decode(frame)
    except DecodeError as e:
        return e.reason


def assert_same(frames, *, futures=False):
    """Read with one decoder that learns, and each frame with one that has learnt nothing."""
    learner = Decoder(futures=futures)
    for frame in frames:
        assert heard(learner, frame) == heard(Decoder(futures=futures), frame)


def ticker(  # noqa: PLR0913, PLR0917
    bid="61837.63", bid_size="3.78", ask="61837.64", ask_size="0.54", more="", s="BTC"
):
    return (
        f'{{"stream":"btc@bookTicker","data":{{"u":50093239212,"s":"{s}",'
        f'"b":"{bid}","B":"{bid_size}","a":"{ask}","A":"{ask_size}"{more}}}}}'
    ).encode()


def trade(price="61837.63", quantity="0.02", more=""):
    return (
        '{"stream":"btc@trade","data":{"e":"trade","E":1723161255343,"s":"BTC",'
        f'"t":3735683259,"p":"{price}","q":"{quantity}","T":1723161255342,"m":true{more}}}}}'
    ).encode()


def depth(bids, asks, more="", end=""):
    b, a = (json.dumps(side, ensure_ascii=False).replace(", ", ",") for side in (bids, asks))
    return (
        '{"stream":"btc@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,'
        f'"s":"BTC","U":50093239189,"u":50093239202{more},"b":{b},"a":{a}{end}}}}}'
    ).encode()


def other_digits(frame, moved):
    """Return a frame of the same form."""
    return bytes((d - 48 + moved) % 10 + 48 if 48 <= d <= 57 else d for d in frame)


# Nearly all of what a venue could write, and a stranger.
whole_numbers = st.sampled_from(
    ["0", "1", "61837", "00", "9" * 16, "9" * 17, "1" * 19, "-5", "1_0", "", "٣"]
)
decimals = st.sampled_from(["", ".", ".5", ".12", ".00", ".12345678", ".1.23", ".1e2", ".12 "])
usual = st.decimals(0, 10**6, places=2, allow_nan=False).map(str)
texts = usual | st.builds("".join, st.tuples(whole_numbers, decimals))
escaped = st.sampled_from([r"1.2\u0033", r"1\u002e23"])
more = st.sampled_from(
    ["", ',"x":"1.25"', ',"x":1.25', ',"b":"7.25"', r',"\u0062":"7.25"', ',"M":true']
)
names = st.sampled_from(["BTC", "1INCH", "A.25", r"A\u002e", "A B"])
levels = st.lists(st.tuples(texts, texts) | st.tuples(usual, usual), max_size=4)


@given(
    st.builds(ticker, texts, texts, texts, texts | escaped, more, names),
    st.lists(st.integers(0, 9), max_size=3),
)
@example(ticker(s="A.25"), [0, 1])
@example(ticker(bid="5"), [0, 1])
@example(ticker(bid="5", more=',"x":"1.25"'), [0, 1])
@example(ticker(bid="5" * 17 + ".25"), [0, 4])
def test_tickers_are_the_same_whichever_way_they_are_read(frame, moved):
    assert_same([frame, *(other_digits(frame, by) for by in moved)])


@given(st.builds(trade, texts, texts | escaped, more), st.lists(st.integers(0, 9), max_size=3))
def test_trades_are_the_same_whichever_way_they_are_read(frame, moved):
    assert_same([frame, *(other_digits(frame, by) for by in moved)])


@given(
    st.lists(
        st.builds(
            depth,
            levels,
            levels,
            st.sampled_from(["", ',"pu":50093239188', ',"x":"1.25"', ',"a":[["1","2"]]']),
            st.sampled_from(["", ',"x":"1.25"', ',"zz":["1.25","1.25"]', ',"b":[]', " "]),
        ),
        min_size=2,
    ),
    st.booleans(),
)
def test_books_are_the_same_whichever_way_they_are_read(frames, futures):
    assert_same([depth([["61837.63", "0.02"]], [["61837.64", "1.50"]]), *frames], futures=futures)


# What one missing point and one too many could hide behind.
@pytest.mark.parametrize(
    "frame",
    [
        depth([["5", "0.02"]], [["61837.64", "1.50"]]),
        depth([["5", "0.02"]], [["61837.64", "1.50"]], end=',"x":"1.25"'),
        depth([["5", "0.02"]], [], end=',"zz":["1.25","1.25","1.25"]'),
        depth([["0.02", "0.02"]], [["1,2.00", "1.50"]]),
        depth([["0.02", "0.02"]], [["[.00", "1.50"]]),
        depth([["61837.630", "0.02"]], [["61837.64", "1.50"]]),
        depth([["61837.6", "0.02"]], [["61837.64", "1.50"]]),
        depth([["1.6183.63", "0.02"]], [["61837", "1.50"]]),
        depth([["1_0.63", "0.02"]], []),
        depth([["٣.63", "0.02"]], []),
        depth([["99999999999999999.63", "0.02"]], []),
        depth([["9999999999999999999.63", "0.02"]], []),
        depth([[".63", "0.02"]], []),
        depth([["", "0.02"]], []),
        depth([["1.63", "0.02", "0.02"]], []),
        depth([], []),
        depth([], [["61837.64", "1.50"]]).replace(b'"a"', b'"a1"'),
        depth([["61837.64", "1.50"]], []).replace(b"50093239189", b"99993239189"),
        depth([["61837.64", "1.50"]], []).replace(b"50093239189", b"00093239189"),
        depth([["61837.64", "1.50"]], []).replace(b'"BTC"', b'"BT.00"'),
        depth([["61837.64", "1.50"]], [])[:-1],
        depth([], []).replace(b"[]", b"[" * 100_000 + b"]" * 100_000),
        ticker().replace(b'"u"', b'"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"u"'),
    ],
)
def test_a_frame_in_disguise_is_found_out(frame):
    good = depth([["61837.63", "0.02"]], [["61837.64", "1.50"]])

    assert_same([good, frame, frame, good])


def test_a_point_in_a_symbol_is_not_taken_for_that_of_a_number():
    books = [depth([[price, "1.50"]], []) for price in ("61837.64", "5", "61837.64")]

    assert_same([book.replace(b'"BTC"', b'"BT.00"') for book in books])


def test_a_point_in_the_name_of_a_field_is_not_taken_for_that_of_a_number():
    head = (
        '{"stream":"btc@depth","data":{"e":"depthUpdate","E":1,"s":"BTC","U":1,"u":2,"a":[],"b":['
    )

    assert_same(
        [f'{head}["1.25","1.25"]]}}}}'.encode(), f'{head}["5","1.25"]],"a.00":[]}}}}'.encode()]
    )


def futures_depth(price, quantity):
    return depth([[price, quantity]], [[price, quantity]] * 2, more=',"pu":50093239188')


def test_prices_and_quantities_may_have_different_decimals():
    told = [("61837.6", "0.012"), ("61837.7", "1.500"), ("1.500", "6.1"), ("1.5", "6.1")]

    assert_same([futures_depth(*pair) for pair in told], futures=True)


@pytest.mark.parametrize("futures", [False, True])
def test_a_known_form_is_read_without_its_points(monkeypatch, futures):
    decoder = Decoder(futures=futures)
    book = futures_depth("61837.6", "0.012") if futures else depth([["61837.63", "0.02"]], [])
    frames = [ticker(), trade(), book]
    expected = [decoder.decode(frame) for frame in frames]

    monkeypatch.setattr("pipeline.core.venues.forms.whole", None)
    monkeypatch.setattr("pipeline.core.venues.binance.decode.whole", None)

    assert [decoder.decode(frame) for frame in frames] == expected


def test_what_a_stranger_makes_up_does_not_fill_the_memory():
    forms: Forms[str] = Forms()
    price, quantity = Noting(), Noting()
    price(["1.5"])
    quantity(["2"])

    for number in range(2 * MAX_FORMS):
        forms.learn(b"x" * number + b'"1.5""2"', "reader", price, quantity)

    assert 0 < len(forms._known) <= MAX_FORMS


@pytest.mark.recorded
def test_every_recorded_frame_is_the_same_whichever_way_it_is_read(recorded_data):
    with gzip.open(recorded_data / "hftbacktest" / "spot_btcusdt_20240808.gz") as file:
        frames = [line.rstrip().partition(b" ")[2] for line in file]

    assert_same(frames[:10_000])
