from __future__ import annotations

import logging

import pytest

from streams.core.errors import BadDefinition
from streams.models import BrokerAct, Stream, SubjectTemplate
from streams.services import templates

pytestmark = pytest.mark.django_db

OWN = "market.{symbol}.{exchange}.deal"


@pytest.fixture(autouse=True)
def declared():
    # Transactional tests elsewhere may have emptied what the migrations declared.
    Stream.objects.all().delete()
    Stream.objects.create(name="MARKET_DATA", config={"subjects": ["market.>"]})


def edit(text, data_type="trade"):
    return templates.edit(data_type=data_type, template=text, actor="boss")


def test_an_edited_template_is_in_force_and_written_down():
    edit(OWN)

    assert templates.active().build("trade", "okx", "BTC-USDT") == "market.BTC-USDT.okx.deal"
    act = BrokerAct.objects.get()
    assert (act.actor, act.action, act.kind, act.name) == ("boss", "edit", "template", "trade")
    assert act.before == {"template": "market.{exchange}.{symbol}.{type}"}
    assert act.after == {"template": OWN}


def test_the_schemes_own_template_is_no_change():
    edit(OWN)
    templates.reset(data_type="trade", actor="boss")
    templates.reset(data_type="trade", actor="boss")

    assert not SubjectTemplate.objects.exists()
    assert BrokerAct.objects.count() == 2
    assert templates.active().build("trade", "okx", "X") == "market.okx.X.trade"


@pytest.mark.parametrize(
    ("data_type", "text", "reason"),
    [
        ("trade", "md.{exchange}.{symbol}", "no declared stream stores md"),
        ("trade", "market.{exchange}.{symbol}.ticker", "would build subjects of"),
        ("trade", "market.{exchange}", "{symbol} must be in it once"),
        ("candle", "market.{exchange}.{symbol}.x", "is none of"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(data_type, text, reason):
    with pytest.raises(BadDefinition, match=reason):
        edit(text, data_type)

    assert not SubjectTemplate.objects.exists()
    assert not BrokerAct.objects.exists()


def test_a_stream_for_each_exchange_will_do():
    Stream.objects.create(name="OKX", config={"subjects": ["md.okx.>"]})

    edit("md.{exchange}.{symbol}")

    assert [row.data_type for row in templates.rows() if not row.stored] == ["trade"]


def test_the_older_scheme_is_one_setting_away_and_gets_its_stream(settings):
    settings.SUBJECT_SCHEME = "push"
    assert templates.active().build("trade", "okx", "BTC-USDT") == "trade.okx.BTC-USDT"

    templates.ensure_stored()
    templates.ensure_stored()

    made = Stream.objects.get(name=templates.OLDER_STREAM)
    assert "volatility-index.>" in made.subjects
    assert templates.uncovered() == {}
    assert BrokerAct.objects.count() == 1


def test_what_no_stream_stores_is_said(caplog):
    Stream.objects.all().delete()

    with caplog.at_level(logging.WARNING, "streams"):
        templates.ensure_stored()

    assert "no declared stream stores market.*.*.kline.*" in caplog.text
    assert not Stream.objects.exists()


def test_changes_that_do_not_go_with_another_scheme_are_said_and_can_be_put_right(settings, caplog):
    Stream.objects.create(name="OLD", config={"subjects": ["ticker.>"]})
    edit("ticker.{exchange}.{symbol}")
    settings.SUBJECT_SCHEME = "push"

    with pytest.raises(BadDefinition, match="would build subjects of trade"):
        templates.active()
    assert templates.active_or_standard().build("trade", "a", "b") == "trade.a.b"
    assert templates.rows()[0].template == "ticker.{exchange}.{symbol}"


def test_a_row_that_no_version_knows_is_shown():
    SubjectTemplate.objects.create(data_type="funding", template="funding.{x}")

    assert ("funding", "") in [(row.data_type, row.pattern) for row in templates.rows()]


def test_several_are_edited_at_once_or_not_at_all():
    swapped = {
        "trade": "market.{exchange}.{symbol}.ticker", "ticker": "market.{exchange}.{symbol}.trade",
    }  # fmt: skip

    templates.edit_all(changes=swapped, actor="boss")
    with pytest.raises(BadDefinition, match="no declared stream stores md"):
        templates.edit_all(changes={"trade": OWN, "funding": "md.{exchange}.{symbol}"}, actor="x")

    assert templates.active().texts["trade"] == "market.{exchange}.{symbol}.ticker"
    assert templates.active().texts["ticker"] == "market.{exchange}.{symbol}.trade"
    assert {act.name for act in BrokerAct.objects.all()} == {"trade", "ticker"}


def test_the_older_subjects_get_their_stream_where_that_is_asked_for():
    older = {"trade": "trade.{exchange}.{symbol}", "orderbook": "orderbook.{exchange}.{symbol}"}

    templates.edit_all(changes=older, actor="file", with_stream=True)
    templates.edit_all(
        changes={"funding": "funding.{exchange}.{symbol}"}, actor="file", with_stream=True
    )

    made = Stream.objects.get(name=templates.OLDER_STREAM)
    assert made.subjects == ["orderbook.>", "trade.>", "funding.>"]
    assert made.config["max_msgs"] == 1_000_000


def test_the_older_stream_of_a_former_version_learns_of_new_types(settings):
    settings.SUBJECT_SCHEME = "push"
    former = ["kline.>", "orderbook.>", "ticker.>", "trade.>", "volatility-index.>"]
    Stream.objects.create(name=templates.OLDER_STREAM, config={"subjects": former, "max_age": 7})

    templates.ensure_stored()

    made = Stream.objects.get(name=templates.OLDER_STREAM)
    assert made.config == {"subjects": [*former, "funding.>"], "max_age": 7}
    assert templates.uncovered() == {}
