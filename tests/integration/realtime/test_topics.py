from __future__ import annotations

import asyncio
import json
import socket

import nats
import pytest
from websockets.exceptions import InvalidStatus

from streams.core.proto.market_pb2 import Ticker
from tests.integration.realtime.client import browser
from tests.integration.realtime.web import WebServer

pytestmark = pytest.mark.integration


def heard(frames):
    return [(f["topic"], f["data"]) for f in frames]


async def send(publisher, topic, data):
    await publisher.publish(topic, json.dumps(data).encode())


async def barrier(publisher, *browsers):
    """Return when all that was published has reached these clients; they listen to system.>."""
    await send(publisher, "system.barrier", 1)
    await publisher.flush()
    for each in browsers:
        await each.hear(topic="system.barrier")


async def test_the_first_words_name_the_life_of_the_hub_and_the_link(web):
    async with browser(web) as b:
        hello = await b.hear(type="hello")
        await b.hear(type="link", state="up")

    assert hello["epoch"]
    assert hello["heartbeatS"] == 30.0


async def test_wildcards_bring_what_they_match_and_nothing_else(web, publisher):
    async with browser(web) as b:
        await b.subscribe("account.wild.*.update", "market.wild.>", "system.barrier")

        await send(publisher, "account.wild.1.update", {"equity": 1.5})
        await send(publisher, "account.wild.1.positions", [])
        await send(publisher, "market.wild.X.kline.1m", {"o": 1})
        await barrier(publisher, b)

    assert heard(f for f in b.frames if f["type"] == "message")[:-1] == [
        ("account.wild.1.update", {"equity": 1.5}),
        ("market.wild.X.kline.1m", {"o": 1}),
    ]


async def test_protobuf_arrives_as_json(web, publisher):
    ticker = Ticker(
        venue="binance", symbol="X", price_exponent=-2, quantity_exponent=0, bid_price=123,
        ask_price=124,
    )  # fmt: skip
    async with browser(web) as b:
        await b.subscribe("market.proto.X.ticker")

        await publisher.publish("market.proto.X.ticker", ticker.SerializeToString())

        frame = await b.hear(type="message")
        assert (frame["data"]["bid"], frame["data"]["ask"]) == ("1.23", "1.24")


async def test_overlapping_topics_deliver_a_message_once_per_client(web, publisher):
    async with browser(web) as one, browser(web) as other:
        await one.subscribe("account.>", "account.over.*.update", "account.over.>", "system.>")
        await other.subscribe("account.over.1.update", "system.>")

        for n in range(50):
            await send(publisher, "account.over.1.update", {"n": n})
        await barrier(publisher, one, other)

        for b in (one, other):
            numbers = [
                f["data"]["n"] for f in b.frames if f.get("topic") == "account.over.1.update"
            ]
            assert numbers == list(range(50))


async def test_the_rest_flows_on_when_a_neighbour_leaves_its_wider_topic(web, publisher):
    async with browser(web) as b:
        async with browser(web) as wide:
            await wide.subscribe("system.>", "account.>")
            await b.subscribe("account.leave.1.orders", "system.barrier")
            await send(publisher, "account.leave.1.orders", [1])
            await barrier(publisher, b, wide)
        async with browser(web) as again:  # Its subscription settles the departure before it.
            await again.subscribe("account.leave.again")

        await send(publisher, "account.leave.1.orders", [2])
        await barrier(publisher, b)

        assert heard(f for f in b.frames if f["type"] == "message" and "leave" in f["topic"]) == [
            ("account.leave.1.orders", [1]),
            ("account.leave.1.orders", [2]),
        ]


async def test_a_newcomer_gets_the_latest_state_at_once_and_only_once(web, publisher):
    async with browser(web) as early, browser(web) as late:
        await early.subscribe("account.late.>", "market.late.>", "system.>")
        await send(publisher, "account.late.1.account", {"balance": 1, "equity": 1})
        await send(publisher, "account.late.1.update", {"equity": 2})
        await send(publisher, "account.late.1.update", {"profit": 3})
        await send(publisher, "market.late.X.ticker", {"bid": "1"})
        await send(publisher, "market.late.X.trade", {"price": "1"})
        await barrier(publisher, early)

        await late.subscribe("account.late.>", "market.late.>")
        assert heard(await late.all_before_pong()) == [
            ("account.late.1.account", {"balance": 1, "equity": 1}),
            ("account.late.1.update", {"equity": 2, "profit": 3}),
            ("market.late.X.ticker", {"bid": "1"}),
        ]

        await late.subscribe("account.late.1.account")
        assert await late.all_before_pong() == []


async def test_unsubscribed_means_silence(web, publisher):
    async with browser(web) as b:
        await b.subscribe("account.quiet.>", "system.barrier")

        await b.say(id=9, action="unsubscribe", topics=["account.quiet.>"])
        await b.hear(type="unsubscribed", id=9, topics=["account.quiet.>"])
        await send(publisher, "account.quiet.1.update", {})
        await barrier(publisher, b)

        assert not [f for f in b.frames if f.get("topic") == "account.quiet.1.update"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"id": 1, "action": "subscribe", "topics": [">"]}, "bad_topic"),
        ({"id": 1, "action": "subscribe", "topics": ["$JS.API.>"]}, "bad_topic"),
        ({"id": 1, "action": "subscribe", "topics": ["service.>"]}, "forbidden"),
        ({"id": 1, "action": "drop"}, "bad_message"),
        (
            {"id": 1, "action": "subscribe", "topics": [f"market.{n}.>" for n in range(129)]},
            "too_many",
        ),
    ],
)
async def test_a_refused_command_is_answered_and_harms_nothing(web, words, code):
    async with browser(web, "reader") as b:
        await b.say(**words)

        refused = await b.hear(type="error")
        assert (refused["id"], refused["code"]) == (1, code)
        await b.subscribe("market.still.works.trade")


async def test_service_logs_are_for_staff(web, publisher):
    async with browser(web, "operator") as b:
        # No service of that name runs here: what real ones log would be heard, too.
        await b.subscribe("service.tried.>")

        await send(publisher, "service.tried.log.error", "oh")

        assert (await b.hear(type="message"))["data"] == "oh"


async def test_who_is_not_signed_in_is_told_so(web):
    async with browser(web, None) as b:
        assert await b.closed() == (4401, "sign in first")
        assert b.frames == []


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:1", "http://[::1", "null", None]
)
async def test_a_foreign_origin_is_refused_even_with_a_session(web, origin):
    with pytest.raises(InvalidStatus) as refused:
        async with browser(web, origin=origin):
            pass

    assert refused.value.response.status_code == 403


async def test_a_message_over_the_limit_ends_the_connection(web):
    async with browser(web) as b:
        await b.link.send("x" * 70_000)

        assert (await b.closed())[0] == 1009


async def test_a_client_that_stops_reading_is_closed_with_the_reason_and_disturbs_nobody(
    web, publisher
):
    narrow = socket.create_connection(("127.0.0.1", web.port))
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    narrow.setblocking(False)
    async with browser(web) as healthy, browser(web, sock=narrow, max_queue=1) as stuck:
        await healthy.subscribe("market.slow.>", "system.barrier")
        await stuck.subscribe("market.slow.>")

        # Each under a topic of its own: nothing can be conflated. The kernel holds some megabytes.
        filler = "x" * 50_000
        for n in range(300):
            await send(publisher, f"market.slow.{n}.trade", [n, filler])
            await healthy.hear(topic=f"market.slow.{n}.trade")
        await barrier(publisher, healthy)

        assert await stuck.closed() == (4008, "more is waiting than a connection may hold")
        assert 0 < len(stuck.frames) < 300


async def test_nats_may_die_and_come_back(web_on_own_nats, own_nats):
    web = web_on_own_nats
    async with browser(web) as b:
        await b.hear(type="link", state="up")
        await b.subscribe("account.back.>")

        own_nats.kill()
        await b.hear(type="link", state="down")
        await b.subscribe("market.back.>")  # Accepted now, in force later.
        async with browser(web) as newcomer:
            await newcomer.hear(type="link", state="down")

        own_nats.start()
        await b.hear(type="link", state="up")
        publisher = await nats.connect(own_nats.url)
        async with asyncio.timeout(10):
            while not [f for f in b.frames if f.get("topic") == "market.back.1.trade"]:
                await send(publisher, "account.back.1.update", {"n": 1})
                await send(publisher, "market.back.1.trade", {"n": 1})
                await publisher.flush()
                await b.hear(type="message")
        await publisher.close()

        assert [f for f in b.frames if f.get("topic") == "account.back.1.update"]


async def test_connections_are_accepted_before_nats_has_ever_been_there(tmp_path, own_nats):
    own_nats.kill()
    web = WebServer(tmp_path, own_nats.url)
    web.start()
    try:
        async with browser(web) as b:
            await b.hear(type="link", state="down")
            await b.subscribe("account.first.>")
            own_nats.start()
            await b.hear(type="link", state="up")
    finally:
        web.stop()
