"""The HTTP calls of the message-broker contract, against a real nats-server."""

from __future__ import annotations

import nats
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from streams import services
from streams.broker.link import Link
from streams.core.errors import ApiRefused, BrokerAway
from streams.models import Stream

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def broker(own_nats, settings):
    """A server of its own whose streams are those that the migrations declare."""
    settings.NATS_URL, settings.NATS_MONITOR_URL = own_nats.url, own_nats.monitor_url
    settings.API_ANONYMOUS = True
    declare_defaults()
    services.link.cache_clear()
    yield own_nats
    services.link().close()
    services.link.cache_clear()


def declare_defaults():
    # A transactional test before this one may have emptied the table that migrations filled.
    for name, subjects in (
        ("MARKET_DATA", ["market.>"]),
        ("SYSTEM_EVENTS", ["system.>"]),
        ("SERVICE_LOGS", ["service.>"]),
    ):
        Stream.objects.get_or_create(name=name, defaults={"config": {"subjects": subjects}})


def publish(client, body):
    return client.post("/api/v1/publish", body, content_type="application/json")


def test_the_declared_streams_are_created_and_left_alone_afterwards(broker):
    first = services.keep_streams(now=timezone.now())
    second = services.keep_streams(now=timezone.now())

    assert set(first.created) == {"MARKET_DATA", "SYSTEM_EVENTS", "SERVICE_LOGS"}
    assert second.created == ()
    assert set(second.existing) == set(first.created)
    assert {row["name"] for row in services.stream_rows()} == set(first.created)


def test_a_stream_that_jetstream_refuses_does_not_stop_the_others(broker):
    Stream.objects.create(name="OVERLAP", config={"subjects": ["market.binance.>"]})

    kept = services.keep_streams(now=timezone.now())

    assert [name for name, _ in kept.failed] == ["OVERLAP"]
    assert set(kept.created) == {"MARKET_DATA", "SYSTEM_EVENTS", "SERVICE_LOGS"}
    assert "overlap" in Stream.objects.get(name="OVERLAP").last_error


def test_a_published_message_is_stored_and_counted(broker, client):
    services.keep_streams(now=timezone.now())

    said = publish(client, {"subject": "market.binance.BTCUSDT.trade", "message": {"price": 1}})
    text = publish(client, {"subject": "service.demo.log.INFO", "message": "hello"})

    assert (said.status_code, said.json()) == (200, {"success": True})
    assert text.json() == {"success": True}
    rows = {row["name"]: row for row in client.get("/api/v1/streams").json()["streams"]}
    assert rows["MARKET_DATA"]["messages"] == 1
    assert rows["SERVICE_LOGS"]["last_seq"] == 1
    status = client.get("/api/v1/status").json()
    assert status["message_stats"] == {"published": 2, "consumed": 0, "errors": 0}
    assert status["data"] == {
        "status": "running", "collection_stats": {}, "stored": {"binance": {"trade": 1}},
    }  # fmt: skip


def test_the_older_scheme_has_a_stream_from_the_first_minute(broker, client, settings):
    settings.SUBJECT_SCHEME = "push"

    kept = services.keep_streams(now=timezone.now())
    publish(client, {"subject": "trade.deribit.BTC-PERPETUAL", "message": {"price": 1}})
    publish(client, {"subject": "volatility-index.deribit.BTC", "message": {"value": 1}})

    assert "PUSHED_DATA" in kept.created
    assert client.get("/api/v1/status").json()["data"]["stored"] == {
        "deribit": {"trade": 1, "volatility_index": 1},
    }  # fmt: skip


async def test_what_consumers_were_handed_is_counted(broker):
    from asgiref.sync import sync_to_async  # noqa: PLC0415

    await sync_to_async(services.keep_streams)(now=timezone.now())
    for number in range(5):
        await sync_to_async(services.publish)(subject="market.okx.X.ticker", message={"n": number})
    reader = await nats.connect(broker.url)
    pulled = await reader.jetstream().pull_subscribe("market.>", durable="desk")
    await pulled.fetch(3)
    await reader.close()

    status = await sync_to_async(services.status)(now=timezone.now(), started_at=timezone.now())

    assert status["message_stats"]["consumed"] == 3
    assert status["data"]["stored"] == {"okx": {"ticker": 5}}


def test_throughput_and_round_trip_are_measured(broker, client):
    services.keep_streams(now=timezone.now())
    before = client.get("/api/v1/status").json()["measured"]
    for number in range(50):
        services.publish(subject="market.okx.X.trade", message={"n": number})
    # Within a second the same is answered again.
    assert wait_for(lambda: rates(client) != before["throughput"])
    measured = client.get("/api/v1/status").json()["measured"]

    assert 0 < measured["round_trip_ms"] < 5000
    assert measured["throughput"]["over_s"] >= 0.9
    assert measured["throughput"]["in_msgs_per_s"] * measured["throughput"]["over_s"] >= 50


def rates(client):
    return client.get("/api/v1/status").json()["measured"]["throughput"]


async def test_a_subject_outside_all_streams_still_reaches_its_subscribers(broker):
    subscriber = await nats.connect(broker.url)
    inbox = await subscriber.subscribe("plain.subject")
    await subscriber.flush()

    from asgiref.sync import sync_to_async  # noqa: PLC0415

    await sync_to_async(services.publish)(subject="plain.subject", message={"a": [1]})

    message = await inbox.next_msg(timeout=5)
    await subscriber.close()
    assert message.data == b'{"a":[1]}'


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"message": "x"}, "subject"),
        ({"subject": "a.b"}, "message"),
        ({"subject": 7, "message": "x"}, "subject"),
        ({"subject": "a.b", "message": 7}, "message"),
        ({"subject": "a..b", "message": "x"}, "subject"),
        ({"subject": "market.>", "message": "x"}, "subject"),
        ({"subject": "$JS.API.STREAM.DELETE.MARKET_DATA", "message": "x"}, "subject"),
        ([], "object"),
    ],
)
def test_a_bad_publish_names_its_field(broker, client, body, field):
    answer = publish(client, body)

    assert answer.status_code == 400
    assert answer.json()["success"] is False
    assert field in answer.json()["error"]


def test_a_message_larger_than_the_server_takes_is_a_bad_request(broker, client):
    # It grows on its way: 1e9 is written as 1000000000.0.
    numbers = b",".join([b"1e9"] * 200_000)
    body = b'{"subject":"a.b","message":{"n":[%b]}}' % numbers

    answer = publish(client, body)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("message: ")


@pytest.mark.parametrize(
    "body", [b"[" * 200_000, b'{"subject":NaN}', b"\xff\xfe", b"{", b"1" * 7000]
)
def test_a_body_that_is_no_json_is_a_400(broker, client, body):
    answer = client.post("/api/v1/publish", body, content_type="application/json")

    assert (answer.status_code, answer.json()["success"]) == (400, False)


def test_status_and_info_tell_the_servers_own_numbers(broker, client):
    status, info = client.get("/api/v1/status").json(), client.get("/api/v1/nats/info").json()

    assert status["nats_server"]["status"] == info["status"] == "running"
    assert status["nats_server"]["server_info"]["version"].startswith("2.")
    assert info["server_info"]["server_id"] == status["nats_server"]["server_info"]["server_id"]
    assert info["ports"]["nats"] == int(broker.url.rsplit(":", 1)[1])


def test_health_follows_nats(broker, client):
    healthy = client.get("/health")
    broker.kill()
    unhealthy = client.get("/health")

    assert (healthy.status_code, healthy.json()["status"]) == (200, "healthy")
    assert (unhealthy.status_code, unhealthy.json()["status"]) == (503, "unhealthy")


def test_without_nats_every_call_answers_and_says_so(broker, client):
    broker.kill()

    assert client.get("/api/v1/status").json()["nats_server"]["status"] == "unreachable"
    assert client.get("/api/v1/nats/info").json()["status"] == "unreachable"
    assert client.get("/api/v1/streams").status_code == 503
    refused = publish(client, {"subject": "a.b", "message": "x"})
    assert (refused.status_code, refused.json()["success"]) == (503, False)


def test_callers_who_may_not_are_refused(broker, client, settings):
    evil = {"HTTP_ORIGIN": "https://evil.example"}
    foreign = client.post(
        "/api/v1/publish", {"subject": "a.b", "message": "x"}, "application/json", **evil
    )
    null = client.get("/api/v1/status", HTTP_ORIGIN="null")
    noise = client.get("/api/v1/status", HTTP_ORIGIN="http://[::1")
    settings.API_ANONYMOUS = False
    anonymous = client.get("/api/v1/status")
    client.force_login(User.objects.create_user("reader", password="x"))
    not_staff = client.get("/api/v1/status")

    assert [r.status_code for r in (foreign, null, noise, anonymous, not_staff)] == [403] * 5


def test_a_body_over_the_limit_is_refused_unread(broker, client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

    fits = publish(client, {"subject": "a.b", "message": "x"})
    too_long = publish(client, {"subject": "a.b", "message": "x" * 100})

    assert (fits.status_code, too_long.status_code) == (200, 413)


def test_a_signed_in_browser_needs_its_csrf_token(broker):
    from django.test import Client  # noqa: PLC0415

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create_superuser("boss", password="x"))

    answer = publish(strict, {"subject": "a.b", "message": "x"})

    assert answer.status_code == 403


def test_a_link_comes_back_after_the_server_was_killed(broker):
    link = services.link()
    link.api("INFO")
    broker.kill()
    with pytest.raises(BrokerAway):
        link.api("INFO", within_s=1)
    broker.start()

    assert wait_for(lambda: "memory" in link.api("INFO"))


def test_jetstreams_refusal_is_told_with_its_code(broker):
    with pytest.raises(ApiRefused) as caught:
        services.link().api("STREAM.INFO.NOWHERE")

    assert caught.value.code == 10059


def test_a_wrong_address_is_told_in_time():
    link = Link("nats://127.0.0.1:9", "nowhere")

    with pytest.raises(BrokerAway):
        link.publish([("a", b"")], within_s=1)
    link.close()


def wait_for(condition, within_s=10.0):
    """Ask again until it is so; return whether it ever was."""
    import time  # noqa: PLC0415

    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if condition():
                return True
        except BrokerAway:
            time.sleep(0.05)
    return False
