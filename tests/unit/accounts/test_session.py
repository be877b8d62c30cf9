from __future__ import annotations

import json

import pytest

from accounts.core.errors import BadState
from accounts.core.session import push_at, session, state_at
from tests.unit.accounts.terminal import ACCOUNT, POSITION, said


def line(*, balance=1.0, **keys):
    return json.dumps(said(account=ACCOUNT | {"balance": balance}, **keys)).encode() + b"\n"


def refusal(*lines):
    with pytest.raises(BadState) as refused:
        session(lines)
    return str(refused.value)


def balance(found, t):
    state = state_at(found, t)
    assert state is not None
    return state.balance


RECORDED = [
    line(at="2026-03-04T12:00:05+02:00", balance=1.0),
    b"  \n",
    line(at="2026-03-04T10:00:06Z", balance=2.0, positions=[POSITION]),
    line(at="2026-03-04T10:00:09.5Z", balance=3.0),
]


def test_a_session_is_played_in_its_own_rhythm_again_and_again():
    found = session(RECORDED)

    # The last push stands as long as the pushes did on average, then the first comes again.
    assert found.seconds == (0, 1, 4.5)
    assert found.round_s == 6.75
    played = {t: balance(found, t) for t in (0, 0.9, 1, 4.4, 4.5, 6.7, 6.75, 7.75, 675.0)}
    assert played == {
        0: 1, 0.9: 1, 1: 2, 4.4: 2, 4.5: 3, 6.7: 3, 6.75: 1, 7.75: 2, 675.0: 1,
    }  # fmt: skip
    assert state_at(found, 2) == push_at(found, 2).state == found.pushes[1].state


def test_seconds_may_be_counted_from_anywhere():
    found = session([line(t=100, balance=1.0), line(t=101.5, balance=2.0)])

    assert [balance(found, t) for t in (0, 1.4, 1.5, 3.0)] == [1, 1, 2, 1]


def test_one_push_is_a_session_that_stands_still():
    found = session([line(t=0, balance=7.0)])

    assert {balance(found, t / 3) for t in range(100)} == {7}


def test_pushes_of_one_moment_are_played_as_the_last_of_them():
    found = session([line(t=0, balance=1.0), line(t=0, balance=2.0), line(t=2, balance=3.0)])

    assert [balance(found, t) for t in (0, 1, 2)] == [2, 2, 3]


def test_a_terminal_that_had_lost_its_broker_has_no_state():
    found = session([line(t=0, terminal={"connected": False}), line(t=1)])

    assert state_at(found, 0) is None
    assert push_at(found, 0).connected is False
    assert push_at(found, 1).connected is True


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (b"{", "line 3: "),
        (b'{"at":"2026-03-04T10:00:07Z"}', "line 3: Object missing required field"),
        (line(), "line 3: one of `at` and `t` must be there"),
        (line(at="2026-03-04T10:00:07Z", t=1), "line 3: one of `at` and `t` must be there"),
        (line(t=1), "line 3: `at` in one line and `t` in another"),
        (line(at="2026-03-04T10:00:07"), "line 3: "),
        (line(at="2026-03-04T09:00:00Z"), "line 3: recorded before the line above"),
        (line(at="2026-03-04T10:00:07Z", positions=[{}]), "$.positions[0]"),
        (
            line(at="2026-03-04T10:00:07Z").replace(b"Broker-Live", b"Elsewhere"),
            "line 3: another account than Broker-Live/261632689",
        ),
    ],
)
def test_a_line_that_cannot_be_played_is_named(bad, named):
    assert named in refusal(RECORDED[0], b"\n", bad)


def test_a_session_without_a_push_is_refused():
    assert "at least one push" in refusal(b"\n")
