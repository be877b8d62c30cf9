from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import sourcefile
from pipeline.models import DataSource
from pipeline.services import files
from streams.core.errors import BadDefinition
from streams.models import Stream, SubjectTemplate
from streams.services import templates

LITERAL = """
data_collection:
  nats_streaming:
    enabled: true
    servers: ["nats://localhost:4222"]
    connection: {name: "data-collector", max_reconnect_attempts: 5, reconnect_time_wait: 2}
    subjects:
      orderbook: "orderbook.{exchange}.{symbol}"
      trade: "trade.{exchange}.{symbol}"
      volatility_index: "volatility-index.{exchange}.{symbol}"
"""
SOURCES = """
data_collection:
  sources:
    - exchange: binance
      types: [trade, orderbook, kline]
      symbols: [BTCUSDT, "*BTC"]
      intervals: [1m, 1h]
      options: {depth: 1000ms}
      stale_s: {trade: 600}
    - name: login
      exchange: binance-usdm
      enabled: false
      endpoint: wss://127.0.0.1:1/stream
      handshake: [{send: login hush, expect: ok}]
"""


@pytest.fixture(autouse=True)
def declared(db, settings):
    settings.NATS_URL = "nats://user:hush@127.0.0.1:4222"
    Stream.objects.all().delete()
    Stream.objects.create(name="MARKET_DATA", config={"subjects": ["market.>"]})


def take(text, **options):
    return files.import_file(text=text, actor="boss", **options)


def refused(text):
    with pytest.raises(BadDefinition) as caught:
        take(text)
    assert "hush" not in str(caught.value)
    return caught.value


def test_the_contracts_file_moves_the_subjects_and_gives_them_a_stream():
    report = take(LITERAL)

    subjects = templates.active().texts
    assert subjects["trade"] == "trade.{exchange}.{symbol}"
    assert subjects["volatility_index"] == "volatility-index.{exchange}.{symbol}"
    assert subjects["ticker"] == "market.{exchange}.{symbol}.{type}"
    stored = Stream.objects.get(name=templates.OLDER_STREAM).subjects
    assert stored == ["orderbook.>", "trade.>", "volatility-index.>"]
    assert {item.action for item in report.items} == {"changed"}


def test_what_a_file_cannot_set_is_said():
    told = " ".join(take(LITERAL.replace("localhost:4222", "u:hush@elsewhere:4333")).notes)

    assert "the setting NATS_URL, which is nats://127.0.0.1:4222 here" in told
    assert "the file says nats://elsewhere:4333" in told
    for name in ("name", "max_reconnect_attempts", "reconnect_time_wait"):
        assert f"nats_streaming.connection.{name} is not taken" in told
    assert "hush" not in told


def test_the_servers_of_the_setting_need_no_word():
    assert not [note for note in take(LITERAL).notes if "servers" in note]


def test_sources_are_made_changed_and_left():
    DataSource.objects.create(name="other", endpoint="ws://127.0.0.1:1/", received=7)
    first = take(SOURCES)
    DataSource.objects.filter(name="binance").update(received=9)
    same = take(SOURCES)
    third = take(SOURCES.replace("trade: 600", "trade: 5").replace("[1m, 1h]", "[1m]"))

    assert [item.action for item in first.items] == ["created", "created"]
    assert [item.action for item in same.items] == ["unchanged", "unchanged"]
    assert third.items[0].fields == ("intervals", "stale_s")
    found = DataSource.objects.get(name="binance")
    assert (found.venue, found.types) == ("binance", ["trade", "orderbook", "kline"])
    assert (found.symbols, found.stale_s, found.received) == (["BTCUSDT", "*BTC"], {"trade": 5}, 9)
    assert DataSource.objects.filter(name="other").exists()


def test_a_source_is_as_usual_where_the_file_says_nothing():
    DataSource.objects.create(
        name="binance", endpoint="ws://127.0.0.1:1/", silence_s=3, enabled=False
    )

    take("data_collection: {sources: [{exchange: binance, types: [trade], symbols: [X]}]}")

    found = DataSource.objects.get()
    assert (found.endpoint, found.silence_s, found.enabled) == ("", 30.0, True)


def test_a_dry_run_says_the_same_and_changes_nothing():
    text = LITERAL + SOURCES.partition("data_collection:")[2]

    report = take(text, dry_run=True)

    assert len(report.items) == 5
    assert not DataSource.objects.exists()
    assert not SubjectTemplate.objects.exists()
    assert Stream.objects.count() == 1


def test_nothing_is_pushed_where_the_file_says_so():
    report = take(
        "data_collection: {nats_streaming: {enabled: false}, "
        "sources: [{exchange: binance, types: [trade], symbols: [X]}]}"
    )

    assert not DataSource.objects.get().enabled
    assert "enabled is false" in report.notes[0]


def test_what_is_exported_can_be_imported_and_changes_nothing():
    take(LITERAL)
    take(SOURCES)
    before = list(DataSource.objects.values())
    text = files.export_file()

    report = take(text)

    assert {item.action for item in report.items} == {"unchanged"}
    assert report.notes == ()
    assert list(DataSource.objects.values()) == before
    assert "hush" not in text
    assert "send: '***1'" in text
    assert "silence_s" not in text
    assert "protocol" not in text


def test_what_is_exported_makes_the_same_elsewhere():
    take(SOURCES.replace("      handshake: [{send: login hush, expect: ok}]\n", ""))
    text = files.export_file()
    DataSource.objects.all().delete()

    take(text)

    assert files.export_file() == text


def test_a_secret_that_was_exported_must_be_given_elsewhere():
    take(SOURCES)
    text = files.export_file()
    DataSource.objects.all().delete()

    error = refused(text)

    assert error.field == "data_collection.sources.1.handshake"
    assert "no text that is kept" in str(error)
    assert not DataSource.objects.exists()


TWICE = "{exchange: binance, endpoint: 'ws://h/'}"
SOURCE = "data_collection: {{sources: [{{exchange: binance, types: [trade], symbols: [X], {}}}]}}"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "file"),
        ("[1", "line 1"),
        ("data_collection: {sources: 5}", "data_collection.sources"),
        ("data_collection: {colour: red}", "data_collection"),
        (SOURCE.format("silence_s: x"), "data_collection.sources.0.silence_s"),
        (SOURCE.format("silence_s: -1"), "data_collection.sources.0.silence_s"),
        (SOURCE.format("silence_s: .nan"), "data_collection.sources.0.silence_s"),
        (SOURCE.format("stale_s: {trade: x}"), "data_collection.sources.0.stale_s.trade"),
        (SOURCE.format("stale_s: {trades: 5}"), "data_collection.sources.0.stale_s"),
        (SOURCE.format("options: {depth: 7ms}"), "data_collection.sources.0.options"),
        (SOURCE.format("name: a b"), "data_collection.sources.0.name"),
        (SOURCE.format("linger_ms: 3"), "data_collection.sources.0.linger_ms"),
        (SOURCE.format("endpoint: 'ws://u:hush@h/'"), "data_collection.sources.0.endpoint"),
        (
            SOURCE.format("handshake: [{send: [hush]}]"),
            "data_collection.sources.0.handshake.0.send",
        ),
        (SOURCE.format("exchange: okx"), "line 1"),
        ("data_collection: {sources: [{exchange: kraken}]}", "data_collection.sources.0.exchange"),
        ("data_collection: {sources: [{exchange: binance}]}", "data_collection.sources.0.types"),
        (
            f"data_collection: {{sources: [{TWICE}, {TWICE}]}}",
            "data_collection.sources.1.name",
        ),
        (
            "data_collection: {nats_streaming: {subjects: {candle: x}}}",
            "data_collection.nats_streaming.subjects.candle",
        ),
        (
            "data_collection: {nats_streaming: {subjects: {trade: 'trade.{symbol}'}}}",
            "data_collection.nats_streaming.subjects.trade",
        ),
        (
            "data_collection: {nats_streaming: {servers: ['http://u:hush@h']}}",
            "data_collection.nats_streaming.servers.0",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named_by_its_place_and_changes_nothing(text, field):
    assert refused(text).field == field
    assert not DataSource.objects.exists()
    assert not SubjectTemplate.objects.exists()


def test_a_wrong_source_takes_the_subjects_back_too():
    refused(LITERAL + "  sources: [{exchange: binance}]\n")

    assert not SubjectTemplate.objects.exists()
    assert Stream.objects.count() == 1


def test_sources_that_collect_the_same_are_told():
    row = "{{name: {}, exchange: binance, types: [trade], symbols: [X]}}"
    pair = ", ".join(row.format(name) for name in "ab")

    report = take(f"data_collection: {{sources: [{pair}]}}")

    assert "a collects some of the same as b" in report.notes[0]


@given(st.text(max_size=200))
def test_any_text_is_a_file_or_refused(text):
    try:
        sourcefile.read(text)
    except BadDefinition as e:
        assert e.field  # noqa: PT017


def test_the_commands_take_and_write_a_file(tmp_path, capsys):
    path = tmp_path / "sources.yaml"
    path.write_text(SOURCES)
    out = io.StringIO()

    call_command("import_sources", str(path), "--dry-run")
    call_command("import_sources", str(path))
    call_command("export_sources", stdout=out)
    path.write_text("data_collection: {sources: [{exchange: kraken}]}")
    with pytest.raises(CommandError, match=r"sources\.0\.exchange") as caught:
        call_command("import_sources", str(path))

    said = capsys.readouterr().out
    assert "Nothing was changed." in said
    assert "created   source binance" in said
    assert "symbols:" in out.getvalue()
    assert caught.value.returncode == 2
