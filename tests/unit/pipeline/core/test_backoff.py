from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.backoff import CAP_S, delay_s


def test_the_ceiling_doubles_from_half_a_second_to_the_cap():
    assert [delay_s(attempt, 1.0) for attempt in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_lower_cap_holds():
    assert delay_s(20, 1.0, cap_s=5.0) == 5.0


@given(st.integers(0, 10**9), st.floats(0, 1))
def test_luck_spreads_the_delay_over_all_of_it(attempt, luck):
    delay = delay_s(attempt, luck)

    assert 0 <= delay <= CAP_S
    assert delay == delay_s(attempt, 1.0) * luck
