from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import subjects, templates
from streams.core.errors import BadDefinition, BadSubject

names = st.text(min_size=1, max_size=40)
types = st.sampled_from(sorted(templates.TYPES))
schemes = st.sampled_from(sorted(templates.SCHEMES))


@pytest.mark.parametrize(
    ("scheme", "data_type", "built"),
    [
        ("market", "trade", "market.okx.BTC-USDT.trade"),
        ("market", "kline", "market.okx.BTC-USDT.kline.1m"),
        ("market", "volatility_index", "market.okx.BTC-USDT.volatility-index"),
        ("push", "orderbook", "orderbook.okx.BTC-USDT"),
        ("push", "trade", "trade.okx.BTC-USDT"),
        ("push", "volatility_index", "volatility-index.okx.BTC-USDT"),
        ("push", "kline", "kline.okx.BTC-USDT.1m"),
    ],
)
def test_subjects_are_those_that_the_schemes_print(scheme, data_type, built):
    interval = "1m" if data_type == "kline" else ""

    assert templates.scheme(scheme).build(data_type, "okx", "BTC-USDT", interval) == built


@given(schemes, types, names, names, names)
def test_a_subject_tells_what_it_was_built_from(scheme, data_type, exchange, symbol, interval):
    active = templates.scheme(scheme)
    interval = interval if data_type == "kline" else ""

    subject = active.build(data_type, exchange, symbol, interval)

    assert active.parse(subject) == templates.Place(data_type, exchange, symbol, interval)
    assert subjects.matches(active.patterns[data_type], subject)
    subjects.tokens(subject)


@given(st.text(max_size=60) | st.lists(names, max_size=6).map(".".join))
def test_any_other_subject_is_somebody_elses(subject):
    place = templates.STANDARD.parse(subject)

    assert place is None or place.exchange


@given(types, st.text(max_size=60))
def test_any_text_is_a_template_or_refused_by_its_type(data_type, text):
    refused = []
    try:
        made = templates.compiled({data_type: text})
        subjects.check_pattern(made.patterns[data_type])
    except BadDefinition as e:
        refused = [e.field]

    assert refused in ([], [data_type])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "1 to 200"),
        ("x" * 201, "1 to 200"),
        ("md.{exchange}.trade", "{symbol} must be in it once"),
        ("md.{symbol}.{symbol}.{exchange}", "{symbol} must be in it once"),
        ("md.{exchange}-{symbol}", "stands alone"),
        ("md.{exchange}.{symbol", "stands alone"),
        ("md.{exchange}.{symbol}.{venue}", "{venue} is none of"),
        ("md.{exchange}.{symbol}.{interval}", "{interval} means nothing"),
        ("md..{exchange}.{symbol}", "empty"),
        ("md.{exchange}.{symbol}.*", "wildcard"),
        ("md.{exchange}.{symbol}.>", "wildcard"),
        ("md.{exchange}.{symbol}.a b", "space"),
        ("{exchange}.{symbol}.trade", "cannot come first"),
        ("$JS.{exchange}.{symbol}", "cannot come first"),
        ("_INBOX.{exchange}.{symbol}", "cannot come first"),
        ("account.{exchange}.{symbol}.trade", "cannot come first"),
    ],
)
def test_a_template_that_cannot_be_is_refused_with_the_reason(text, reason):
    with pytest.raises(BadDefinition) as caught:
        templates.compiled({"trade": text})

    assert caught.value.field == "trade"
    assert reason in str(caught.value)


def test_a_kline_needs_its_interval():
    with pytest.raises(BadDefinition, match=r"\{interval\} must be in it once"):
        templates.compiled({"kline": "kline.{exchange}.{symbol}"})


def test_an_unknown_type_is_refused_with_those_that_exist():
    with pytest.raises(BadDefinition, match="candle: is none of trade, orderbook"):
        templates.compiled({"candle": "a.{exchange}.{symbol}"})


def test_no_two_types_build_the_same_subject():
    with pytest.raises(BadDefinition, match="would build subjects of"):
        templates.scheme("market", {"ticker": "market.{exchange}.{symbol}.trade"})
    with pytest.raises(BadDefinition, match="would build subjects of"):
        templates.compiled(
            {"trade": "md.trade.{exchange}.{symbol}", "ticker": "md.{exchange}.{symbol}.x"}
        )


def test_a_subject_that_is_too_long_is_refused():
    with pytest.raises(BadSubject, match="at most"):
        templates.STANDARD.build("trade", "okx", "%" * 400)


def test_what_no_stream_would_store_is_named():
    older = templates.scheme("push")

    assert templates.uncovered(templates.STANDARD, ["market.>"]) == {}
    missing = templates.uncovered(older, ["market.>", "trade.*.BTC", "kline.>", "ticker.*.*"])
    assert missing == {
        "trade": "trade.*.*",
        "orderbook": "orderbook.*.*",
        "volatility_index": "volatility-index.*.*",
        "funding": "funding.*.*",
    }


def test_plain_texts_make_the_same_templates_again():
    older = templates.scheme("push", {"trade": "t.{exchange}.{symbol}"})

    assert templates.compiled(older.texts).texts == older.texts
    assert older.roots == {"t", "orderbook", "ticker", "kline", "volatility-index", "funding"}
