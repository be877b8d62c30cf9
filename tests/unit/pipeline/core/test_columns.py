from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.columns import FINEST, REMEMBERED, Column, Columns
from pipeline.core.errors import DecodeError
from pipeline.core.scale import whole

decimals = st.decimals(-(10**6), 10**6, places=None, allow_nan=False, allow_infinity=False).map(
    lambda value: f"{round(value, 10):f}"
)
anything = st.one_of(st.text(max_size=30), st.text(alphabet="0123456789.-+eE_ ", max_size=30))


def values(found):
    numbers, exponent = found
    return [Decimal(number).scaleb(exponent) for number in numbers]


@given(st.lists(st.lists(decimals, max_size=8), max_size=6))
def test_whatever_was_read_before_a_column_reads_the_same_values(messages):
    column = Column()

    for texts in messages:
        assert values(column.whole(texts)) == [Decimal(text) for text in texts]


@given(st.lists(st.lists(anything, max_size=4), max_size=4))
@example([["1_0"], ["\u0661"], [" 1"], ["+1"], [""], ["nan"], ["1e400"]])
def test_a_column_takes_and_refuses_just_what_scaling_alone_does(messages):
    column = Column()

    for texts in messages:
        try:
            alone = values(whole(texts))
        except DecodeError:
            with pytest.raises(DecodeError):
                column.whole(texts)
        else:
            assert values(column.whole(texts)) == alone


def test_the_exponent_is_that_of_the_finest_text_so_far():
    column = Column()

    exponents = [column.whole(texts)[1] for texts in (["2"], ["1.5", "2"], ["2"], ["0.25"], ["7"])]

    assert exponents == [0, -1, -1, -2, -2]


def test_one_text_of_absurd_fineness_does_not_spoil_those_after_it():
    column = Column()
    column.whole(["1.5"])

    assert column.whole(["0." + "0" * FINEST + "1"]) == ([1], -FINEST - 1)
    assert column.whole(["123456789012345678.5"]) == ([1234567890123456785], -1)


def test_numbers_that_do_not_fit_with_these_decimals_are_scaled_by_themselves():
    column = Column()
    column.whole(["0." + "1" * FINEST])

    assert column.whole(["9" * 18]) == ([10**18 - 1], 0)
    with pytest.raises(DecodeError):
        column.whole(["9" * 18, "0." + "1" * FINEST])


def test_what_is_remembered_is_bounded():
    column, columns = Column(), Columns(most=3)

    for number in range(REMEMBERED * 3):
        column.whole([str(number)])
        assert len(column) <= REMEMBERED
    for number in range(10):
        columns.of(str(number))

    assert columns.of("9") is columns.of("9")
    assert len(columns._of) <= 3


def test_what_is_remembered_of_all_symbols_is_bounded_and_keeps_their_decimals():
    columns = Columns(most_texts=100)
    columns.of("BTC")[0].whole(["1.25"])

    for number in range(1_000):
        columns.of(str(number))[0].whole([str(number), "0.5"])
        kept = sum(len(column) for pair in columns._of.values() for column in pair)
        assert kept <= 100

    assert columns.of("BTC")[0].whole(["2"]) == ([200], -2)
