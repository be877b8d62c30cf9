from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from pipeline.models import DataSource

pytestmark = pytest.mark.django_db

LIST = "admin:pipeline_datasource_changelist"


ADD = "admin:pipeline_datasource_add"
FORM = {
    "venue": "binance", "protocol": "websocket", "endpoint": "ws://127.0.0.1:2/stream",
    "enabled": "on", "silence_s": "30.0", "reconnect_interval": "5.0",
    "max_reconnect_attempts": "10", "buffer_size": "16384", "link_life_s": "0", "linger_ms": "0",
    "ping_every_s": "20", "checksums": "on", "backfill": "on", "intervals": "1m",
}  # fmt: skip
WANTED = FORM | {
    "name": "b", "endpoint": "", "types": ["trade", "kline"], "symbols": "BTCUSDT, ETHUSDT\r\n*BTC",
    "intervals": "1m 1h", "stale_s_trade": "600",
}  # fmt: skip
STEPS = [{"send": "login hush", "expect": "ok", "within_s": 5.0}, {"expect": "ready"}]


@pytest.fixture
def source():
    return DataSource.objects.create(
        name="a",
        endpoint="ws://127.0.0.1:1/stream",
        published=7000,
        undecodable=4,
        by_type={"trade": 6000, "ticker": 1000},
        troubles={"gaps": 3, "undecodable:json": 2},
    )


def change(source):
    return reverse("admin:pipeline_datasource_change", args=[source.pk])


def test_the_list_shows_state_and_counters(admin_client, source):
    page = admin_client.get(reverse(LIST)).content.decode()

    assert "stopped" in page
    assert ">7,000<" in page
    assert "Binance spot" in page
    assert "3 gaps, 4 undecodable" in page


def test_the_page_of_a_source_tells_its_troubles_by_reason(admin_client, source):
    page = admin_client.get(change(source)).content.decode()

    assert "<dt>trades</dt><dd>6,000</dd>" in page
    assert "<dt>gaps</dt><dd>3</dd>" in page
    assert "<dt>not decodable: json</dt><dd>2</dd>" in page


def test_a_pipeline_that_says_nothing_any_more_shows(admin_client, source):
    long_ago = timezone.now() - timedelta(minutes=5)
    DataSource.objects.update(state="running", seen_at=long_ago)
    silent = admin_client.get(reverse(LIST)).content.decode()
    DataSource.objects.update(seen_at=timezone.now())
    heard = admin_client.get(reverse(LIST)).content.decode()

    assert "no report" in silent
    assert "no report" not in heard
    assert "state-running" in heard


def test_a_source_is_typed_and_chosen(admin_client):
    answer = admin_client.post(reverse(ADD), WANTED)

    assert answer.status_code == 302, answer.context["adminform"].form.errors
    found = DataSource.objects.get()
    assert found.types == ["trade", "kline"]
    assert found.symbols == ["BTCUSDT", "ETHUSDT", "*BTC"]
    assert found.intervals == ["1m", "1h"]
    assert (found.stale_s, found.options, found.handshake) == ({"trade": 600.0}, {}, [])


@pytest.mark.parametrize(
    ("typed", "field", "told"),
    [
        ({"types": ["volatility_index"]}, "types", "Binance spot has no volatility index"),
        ({"symbols": ""}, "symbols", "at least one"),
        ({"types": [], "symbols": ""}, "types", "at least one"),
        ({"intervals": "7m"}, "intervals", "7m"),
        ({"stale_s_trade": "-1"}, "stale_s", "greater than or equal"),
        ({"handshake": "{"}, "handshake", "no JSON"),
        ({"handshake": '[{"send": 7}]'}, "handshake", "handshake[0].send"),
        ({"handshake": '[{"send": "***1"}]'}, "handshake", "no text that is kept"),
        ({"rest_endpoint": "ftp://x"}, "rest_endpoint", "https://host"),
        ({"venue": "kraken"}, "venue", "valid choice"),
    ],
)
def test_what_cannot_be_is_said_at_its_field(admin_client, typed, field, told):
    answer = admin_client.post(reverse(ADD), WANTED | typed)

    errors = answer.context["adminform"].form.errors
    assert told in " ".join(errors[field])
    assert not DataSource.objects.exists()


def test_an_option_is_one_of_its_venue(admin_client):
    other = admin_client.post(reverse(ADD), WANTED | {"options_depth": "500ms"})
    own = admin_client.post(reverse(ADD), WANTED | {"options_depth": "1000ms"})

    assert "is one of 100ms, 1000ms" in str(other.context["adminform"].form.errors["options"])
    assert own.status_code == 302
    assert DataSource.objects.get().options == {"depth": "1000ms"}


def test_what_a_handshake_sends_is_never_shown_and_kept_where_it_is_marked(admin_client, source):
    DataSource.objects.update(handshake=STEPS)
    page = admin_client.get(change(source)).content.decode()
    lists = admin_client.get(reverse(LIST)).content.decode()
    moved = '[{"expect": "first"}, {"send": "***1", "expect": "fine"}, {"send": "new"}]'

    answer = admin_client.post(change(source), FORM | {"handshake": moved})

    assert "hush" not in page + lists
    assert "***1" in page
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    sent = [step["send"] for step in DataSource.objects.get().handshake]
    assert sent == ["", "login hush", "new"]
    history = LogEntry.objects.get().get_change_message()
    assert "handshake" in history.lower()
    assert "hush" not in history


def test_a_handshake_that_is_left_alone_stays(admin_client, source):
    DataSource.objects.update(handshake=STEPS)
    shown = admin_client.get(change(source)).context["adminform"].form["handshake"].value()

    answer = admin_client.post(change(source), FORM | {"handshake": shown.replace("\n", "\r\n")})

    assert answer.status_code == 302
    assert DataSource.objects.get().handshake == STEPS


def test_a_source_that_collects_the_same_as_another_is_told(admin_client):
    admin_client.post(reverse(ADD), WANTED)
    apart = admin_client.post(
        reverse(ADD), WANTED | {"name": "c", "symbols": "ETHBUSD"}, follow=True
    )

    same = admin_client.post(reverse(ADD), WANTED | {"name": "d", "symbols": "ADABTC"}, follow=True)

    assert set(DataSource.objects.values_list("name", flat=True)) == {"b", "c", "d"}
    assert "is collected by" not in apart.content.decode()
    assert "Some of this is collected by b, too." in same.content.decode()


@pytest.mark.parametrize(
    "column", ["types", "symbols", "options", "stale_s", "handshake", "by_type"]
)
@pytest.mark.parametrize("spoilt", [7, "x", [[]], {"a": []}])
def test_a_row_that_a_hand_spoilt_can_still_be_looked_at(admin_client, source, column, spoilt):
    DataSource.objects.update(**{column: spoilt})

    assert admin_client.get(change(source)).status_code == 200
    assert admin_client.get(reverse(LIST)).status_code == 200


def test_who_may_only_look_sees_the_source(client, source, django_user_model):
    viewer = django_user_model.objects.create_user("v", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_datasource"))
    DataSource.objects.update(handshake=STEPS)
    client.force_login(viewer)

    answer = client.get(change(source))

    assert answer.status_code == 200
    assert "hush" not in answer.content.decode()


@pytest.mark.parametrize(("action", "before"), [("enable", False), ("disable", True)])
def test_actions_enable_and_disable(admin_client, source, action, before):
    DataSource.objects.update(enabled=before)

    answer = admin_client.post(
        reverse(LIST), {"action": action, "_selected_action": [source.pk]}, follow=True
    )

    assert f"1 source {action}d." in answer.content.decode()
    assert DataSource.objects.get().enabled is not before
    again = admin_client.post(
        reverse(LIST), {"action": action, "_selected_action": [source.pk]}, follow=True
    )
    assert f"Nothing to do: they are {action}d already." in again.content.decode()


def test_saving_does_not_undo_what_the_pipeline_wrote(admin_client, source, monkeypatch):
    clean = DataSource.full_clean

    def counted_meanwhile(self, *args, **options):
        DataSource.objects.update(received=8)
        return clean(self, *args, **options)

    monkeypatch.setattr(DataSource, "full_clean", counted_meanwhile)

    answer = admin_client.post(change(source), FORM)

    assert answer.status_code == 302, answer.context["adminform"].form.errors
    found = DataSource.objects.get()
    assert (found.endpoint, found.received) == ("ws://127.0.0.1:2/stream", 8)


def test_an_endpoint_with_a_password_is_refused_on_the_page(admin_client):
    answer = admin_client.post(
        reverse("admin:pipeline_datasource_add"),
        {"name": "b", "endpoint": "ws://user:hush@host/"},
    )

    assert "A URL with a user or password" in answer.content.decode()
    assert not DataSource.objects.exists()
