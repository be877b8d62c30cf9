from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import subjects
from streams.core.errors import BadSubject

names = st.text(min_size=1, max_size=40)
tokens = st.sampled_from(["a", "b", "BTC-USDT", "*"])
patterns = st.lists(tokens, min_size=1, max_size=5).flatmap(
    lambda parts: st.sampled_from([".".join(parts), ".".join([*parts, ">"])])
)
concrete = st.lists(st.sampled_from(["a", "b", "BTC-USDT"]), min_size=1, max_size=6).map(".".join)


def test_characters_that_nats_reads_are_escaped():
    assert subjects.account("Broker.Live 2", "7", "update") == "account.Broker%2ELive%202.7.update"


@given(names)
def test_any_name_becomes_one_token_and_comes_back(name):
    token = subjects.escape(name)

    assert subjects.unescape(token) == name
    assert subjects.tokens(token) == [token]


def test_what_utf8_cannot_write_is_no_token():
    with pytest.raises(BadSubject):
        subjects.escape("BTC\ud800")


@pytest.mark.parametrize(
    "bad", ["", ".", "a..b", "a b", "a.\tb", "a.>.b", "a.b*", "x" * 1025, "a.\u2028b"]
)
def test_a_bad_pattern_is_refused(bad):
    with pytest.raises(BadSubject):
        subjects.check_pattern(bad)


@pytest.mark.parametrize("wild", ["a.*", ">", "market.>"])
def test_a_concrete_subject_holds_no_wildcard(wild):
    with pytest.raises(BadSubject):
        subjects.tokens(wild)


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("market.>", "market.binance.BTCUSDT.trade", True),
        ("market.>", "market", False),
        ("market.*.*.trade", "market.binance.BTCUSDT.trade", True),
        ("market.*.*.trade", "market.binance.BTCUSDT.ticker", False),
        ("market.*", "market.binance.BTCUSDT", False),
        ("a.b", "a.b", True),
        ("a.b.c", "a.b", False),
    ],
)
def test_matching_follows_nats(pattern, subject, expected):
    assert subjects.matches(pattern, subject) is expected


@given(st.lists(patterns, max_size=6), concrete)
def test_many_patterns_at_once_match_what_each_of_them_matches(many, subject):
    expected = any(subjects.matches(pattern, subject) for pattern in many)

    assert subjects.Patterns(many).match(subject) is expected


@given(patterns, patterns, concrete)
def test_patterns_without_a_common_subject_do_not_overlap(one, other, subject):
    if subjects.matches(one, subject) and subjects.matches(other, subject):
        assert subjects.overlap(one, other)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a.*", "*.b", True),
        ("a.>", "a", False),
        ("a.>", "a.b.c", True),
        ("a.b", "a.c", False),
        ("*.*", "a.b.c", False),
    ],
)
def test_overlapping_follows_nats(one, other, expected):
    assert subjects.overlap(one, other) is expected
    assert subjects.overlap(other, one) is expected


@given(patterns, patterns, concrete)
def test_what_a_narrower_pattern_matches_the_wider_one_matches_too(wide, narrow, subject):
    if subjects.covers(wide, narrow) and subjects.matches(narrow, subject):
        assert subjects.matches(wide, subject)
