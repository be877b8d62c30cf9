"""What the publisher's tests do to a real server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

import msgspec

from streams.broker.connect import connect
from streams.broker.publisher import Publisher

SUBJECT = "market.test.PUBLISHER.trade"
# Far longer than a local socket takes, and shorter than the pings that would find the link dead.
QUIET_S = 0.5


async def call(client, verb, body=None):
    answer = await client.request(f"$JS.API.{verb}", msgspec.json.encode(body or {}), timeout=5)
    found = msgspec.json.decode(answer.data)
    assert "error" not in found, found
    return found


async def make_stream(client, name="PUBLISHED", **more):
    body = {"name": name, "subjects": [SUBJECT], "storage": "file", "allow_batched": True} | more
    return await call(client, f"STREAM.CREATE.{name}", body)


async def stored(client, name="PUBLISHED", subject=SUBJECT):
    """Return the numbers of a subject, as they are stored."""
    asked = {"subjects_filter": subject}
    state = (await call(client, f"STREAM.INFO.{name}", asked))["state"]
    sub = await client.jetstream().subscribe(subject, stream=name, ordered_consumer=True)
    count = (state.get("subjects") or {}).get(subject, 0)
    return [int((await sub.next_msg(timeout=10)).data) for _ in range(count)]


@asynccontextmanager
async def running(server, url=None, **options):
    client = await connect(url or server.url, name="test", patience_s=10)
    publisher = Publisher(client, **options)
    task = asyncio.create_task(publisher.run())
    try:
        yield client, publisher
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await client.close()


async def publish(publisher, numbers, subject=SUBJECT):
    for number in numbers:
        if not publisher.submit(subject, b"%d" % number, f"{subject}-{number}"):
            await publisher.room()


async def keep_publishing(publisher, upto):
    """Publish the numbers up to this one, 20,000 a second."""
    for start in range(0, upto, 200):
        await publish(publisher, range(start, min(start + 200, upto)))
        await asyncio.sleep(0.01)


async def until(condition, within_s=15):
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def until_it_owes_for_good(publisher):
    """
    Return how many records a stopped server owes.

    Acknowledgements that it wrote before it was stopped may still lie in the socket.
    """
    seen, since = -1, 0.0
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(15):
        while seen < 0 or loop.time() - since < QUIET_S:
            counters = publisher.counters()
            if not counters.in_flight or counters.acknowledged != seen:
                seen, since = counters.acknowledged, loop.time()
            await asyncio.sleep(0.01)
    return publisher.counters().in_flight
