"""
What the system account of a NATS installation tells and does: its servers, reload, replicas.

The connection must be the system user's. One request reaches every server of a cluster, whichever
of them we are connected to; each answers for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from streams.broker.connect import connect
from streams.core.errors import ApiRefused, BrokerAway

T = TypeVar("T")
JsonObject = dict[str, Any]

ANSWER_S = 2.0


class Server(msgspec.Struct, frozen=True):
    """One server that answers now. `active_servers` is how many it believes there are."""

    id: str
    name: str
    host: str
    version: str
    cluster: str
    jetstream: bool
    active_servers: int
    connections: int


class Replica(msgspec.Struct, frozen=True, order=True):
    """One copy of a stream or consumer that does not hold everything. `lag` counts operations."""

    stream: str
    consumer: str
    server: str
    lag: int
    offline: bool


async def servers(client: Client, *, within_s: float = ANSWER_S) -> list[Server]:
    """
    Return the servers that answer, by name; each says how many to wait for.

    Raises:
        BrokerAway: None answers: the connection is down, or it is not the system user's.
    """
    return sorted(
        (_server(answer) for answer in await _all(client, "STATSZ", None, within_s)),
        key=lambda server: server.name,
    )


async def ask(
    client: Client,
    server_id: str,
    endpoint: str,
    body: Mapping[str, Any] | None = None,
    *,
    within_s: float = ANSWER_S,
) -> JsonObject:
    """
    Return what one server says at an endpoint, for example `VARZ`, `JSZ` or `HEALTHZ`.

    Raises:
        BrokerAway: There is no such server now, or it does not answer.
        ApiRefused: It answered with an error.
    """
    subject = f"$SYS.REQ.SERVER.{server_id}.{endpoint}"
    try:
        reply = await client.request(subject, _encoded(body), timeout=within_s)
    except nats.errors.NoRespondersError as e:
        raise BrokerAway(f"no server with the id {server_id} answers") from e
    except (OSError, TimeoutError, nats.errors.Error) as e:
        raise BrokerAway(f"server {server_id} does not answer: {type(e).__name__}") from e
    answer = _decoded(reply.data)
    _refuse(answer)
    found: JsonObject = answer.get("data") or {}
    return found


async def reload(client: Client, server_id: str, *, within_s: float = ANSWER_S) -> None:
    """
    Let one server read its configuration file again.

    Raises:
        BrokerAway: There is no such server now, or it does not answer.
        ApiRefused: It refuses the file, and runs on with the configuration that it had.
    """
    await ask(client, server_id, "RELOAD", within_s=within_s)


async def replicas_behind(
    client: Client, *, of: Sequence[Server] = (), within_s: float = ANSWER_S
) -> list[Replica]:
    """
    Return the copies that lack something, of every stream and consumer in all accounts.

    A stream or consumer without a leader counts as one copy, on no server, that is offline. Empty
    means: any one server may go away now, and nothing with three copies notices.

    Args:
        of: The servers, if the caller has just asked for them.

    Raises:
        BrokerAway: No server answers.
    """
    count = len(of or await servers(client, within_s=within_s))
    body = {"accounts": True, "streams": True, "consumer": True}
    groups: dict[tuple[str, str, str], list[Replica] | None] = {}
    for answer in await _all(client, "JSZ", body, within_s, count):
        me = answer["server"]["name"]
        for key, cluster in _groups(answer.get("data") or {}):
            # Those that follow know nothing of each other.
            told = _behind(key, cluster) if cluster.get("leader") == me else None
            groups[key] = groups.get(key) if told is None else told
    leaderless = [
        Replica(s, c, "", 0, offline=True) for (_, s, c), v in groups.items() if v is None
    ]
    return sorted([*leaderless, *(one for found in groups.values() for one in found or ())])


async def meta_leader_steps_down(client: Client, *, within_s: float = ANSWER_S) -> None:
    """
    Let the leader of the cluster's own group hand over.

    Raises:
        BrokerAway: Nobody answers: there is no leader, or no cluster.
        ApiRefused: It does not.
    """
    await _api(client, "META.LEADER.STEPDOWN", {}, within_s)


def called(
    url: str, call: Callable[[Client], Awaitable[T]], *, within_s: float = 5.0, **options: Any
) -> T:
    """
    Return what `call` returns over a connection of its own: for code that does not await.

    Args:
        options: Of the connection, see `connect`.

    Raises:
        BrokerAway: Not connected in time, or no answer in time.
    """

    async def run() -> T:
        client = await connect(url, name="system", patience_s=within_s, **options)
        try:
            async with asyncio.timeout(within_s):
                return await call(client)
        except TimeoutError as e:
            raise BrokerAway("the system account did not answer in time") from e
        finally:
            await client.close()

    return asyncio.run(run())


async def _all(
    client: Client,
    endpoint: str,
    body: Mapping[str, Any] | None,
    within_s: float,
    count: int = 0,
) -> list[JsonObject]:
    """
    Return the answers of all servers that answer in time.

    Args:
        count: How many to wait for; 0 believes what the answers say.
    """
    answers: list[JsonObject] = []
    inbox = client.new_inbox()
    arrived: asyncio.Queue[Msg] = asyncio.Queue()
    sub = await client.subscribe(inbox, cb=arrived.put)
    try:
        await client.publish(f"$SYS.REQ.SERVER.PING.{endpoint}", _encoded(body), reply=inbox)
        async with asyncio.timeout(within_s):
            while not answers or len(answers) < (count or _told(answers)):
                msg = await arrived.get()
                if msg.headers and msg.headers.get("Status") == "503":
                    break
                answers.append(_decoded(msg.data))
    except TimeoutError:
        pass
    except (OSError, nats.errors.Error) as e:
        raise BrokerAway(f"the system account cannot be asked: {e}") from e
    finally:
        await _unsubscribe(sub)
    if not answers:
        raise BrokerAway("no server answers: is this the system user?")
    return answers


def _told(answers: list[JsonObject]) -> int:
    counts = ((answer.get("statsz") or {}).get("active_servers", 0) for answer in answers)
    return int(max(counts))


async def _unsubscribe(sub: Any) -> None:
    with contextlib.suppress(nats.errors.Error):  # Closed meanwhile; so was the subscription.
        await sub.unsubscribe()


async def _api(client: Client, verb: str, body: JsonObject, within_s: float) -> JsonObject:
    try:
        reply = await client.request(f"$JS.API.{verb}", _encoded(body), timeout=within_s)
    except (OSError, TimeoutError, nats.errors.Error) as e:
        raise BrokerAway(f"JetStream has no leader, or does not answer: {type(e).__name__}") from e
    answer = _decoded(reply.data)
    _refuse(answer)
    return answer


def _server(answer: JsonObject) -> Server:
    told, stats = answer["server"], answer.get("statsz") or {}
    return Server(
        id=told["id"],
        name=told["name"],
        host=told.get("host", ""),
        version=told.get("ver", ""),
        cluster=told.get("cluster", ""),
        jetstream=bool(told.get("jetstream", False)),
        active_servers=stats.get("active_servers", 0),
        connections=stats.get("connections", 0),
    )


def _groups(data: JsonObject) -> Iterator[tuple[tuple[str, str, str], JsonObject]]:
    """Yield (account, stream, consumer) and its group, for all that have several copies."""
    for account in data.get("account_details") or []:
        for stream in account.get("stream_detail") or []:
            found = [("", stream), *((c["name"], c) for c in stream.get("consumer_detail") or [])]
            for consumer, detail in found:
                # Without a leader it says nothing of the other copies.
                if (cluster := detail.get("cluster")) and (
                    cluster.get("replicas") or not cluster.get("leader")
                ):
                    yield (account["name"], stream["name"], consumer), cluster


def _behind(key: tuple[str, str, str], cluster: JsonObject) -> list[Replica]:
    _, stream, consumer = key
    return [
        Replica(stream, consumer, peer["name"], peer.get("lag", 0), bool(peer.get("offline")))
        for peer in cluster.get("replicas") or []
        if peer.get("offline") or not peer.get("current")
    ]


def _encoded(body: Mapping[str, Any] | None) -> bytes:
    return msgspec.json.encode(body) if body is not None else b""


def _decoded(data: bytes) -> JsonObject:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        raise BrokerAway("the system account answered with something else than JSON") from e
    if not isinstance(found, dict):
        raise BrokerAway("the system account answered with something else than an object")
    return found


def _refuse(answer: JsonObject) -> None:
    if error := answer.get("error"):
        if isinstance(error, str):
            raise ApiRefused(0, error)
        code = error.get("err_code") or error.get("code", 0)
        raise ApiRefused(code, error.get("description", "refused"))
