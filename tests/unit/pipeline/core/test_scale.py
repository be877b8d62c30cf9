from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.errors import DecodeError
from pipeline.core.scale import MAX, MIN, _any_decimals, whole

amounts = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=8
).map(lambda value: format(value, "f"))
anything = st.text(st.sampled_from("0123456789.,-+eE_ x٣"), max_size=12)


def values(numbers, exponent):
    return [Decimal(number).scaleb(exponent) for number in numbers]


@given(st.lists(amounts, min_size=1))
def test_equal_decimals_come_out_exact(texts):
    numbers, exponent = whole(texts)

    assert values(numbers, exponent) == [Decimal(text) for text in texts]
    assert exponent == -8


@given(st.lists(st.one_of(amounts, st.decimals(-1000, 1000, places=3).map(str)), min_size=1))
def test_unequal_decimals_come_out_exact(texts):
    numbers, exponent = whole(texts)

    assert values(numbers, exponent) == [Decimal(text) for text in texts]
    assert all(MIN <= number <= MAX for number in numbers)


@given(st.lists(anything, min_size=1))
@example(["1,2"])
@example(["1,2", ""])
@example(["1.2.3"])
@example(["1_0"])
@example(["-"])
@example(["."])
@example(["nan"])
@example(["Infinity"])
@example(["1e400"])
@example(["1e-400"])
@example(["9" * 5000])
@example(["0e999999999"])
@example(["1e999999999999999999999"])
def test_any_text_is_an_exact_number_or_our_error(texts):
    try:
        numbers, exponent = whole(texts)
    except DecodeError:
        return

    assert values(numbers, exponent) == [Decimal(text) for text in texts]
    assert all(MIN <= number <= MAX for number in numbers)


@given(st.lists(st.one_of(amounts, amounts.map(lambda text: text.rstrip("0")), anything)))
@example([".-5"])
@example(["-.5", "1.25", "5.", "-0"])
@example(["0.00", ""])
@example(["0.00", "-"])
@example(["0.00", "."])
@example(["0.00", "1" + "0" * 70, "1." + "0" * 70])
def test_the_fast_ways_say_what_the_slow_way_says(texts):
    assert said(whole, texts) == said(_any_decimals, texts)


def said(way, texts):
    try:
        return values(*way(texts))
    except DecodeError:
        return "refused"


def test_zeros_that_were_left_out_are_put_back():
    assert whole(["0.0005", "0.001", "-12", "3.0"]) == ([5, 10, -120000, 30000], -4)


def test_no_text_is_no_number():
    assert whole([]) == ([], 0)


@pytest.mark.parametrize("text", ["9223372036854775807", "-9223372036854775808", "0.00000001"])
def test_the_whole_range_of_sint64_fits(text):
    numbers, exponent = whole([text])

    assert values(numbers, exponent) == [Decimal(text)]


def test_what_fits_only_without_its_zeros_fits():
    assert whole(["100000000000.00000000000"]) == ([1], 11)


@pytest.mark.parametrize(
    "texts", [["9223372036854775808"], ["92233720368.54775808", "1e-20"], ["1e-30", "1e10"]]
)
def test_what_does_not_fit_is_refused(texts):
    with pytest.raises(DecodeError, match="64 bits"):
        whole(texts)
