"""What JetStream has, as it says it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from streams.core.errors import ApiRefused, BrokerAway
from streams.services.linked import link

JsonObject = dict[str, Any]

NO_SUCH_STREAM = 10059
NO_SUCH_CONSUMER = 10014


@dataclass(frozen=True)
class Live:
    """
    By name, JetStream's info of streams; of consumers by `STREAM/consumer`.

    unreached: What JetStream knows, and none of the servers that hold it answered for.
    """

    level: int
    streams: dict[str, JsonObject] = field(default_factory=dict)
    consumers: dict[str, JsonObject] = field(default_factory=dict)
    unreached: frozenset[str] = frozenset()


def live_streams() -> list[JsonObject]:
    """
    Return JetStream's info of every stream, page by page: the server gives 256 at a time.

    Raises:
        BrokerAway: Also when nobody answers for one of them: a part would look like the whole.
        ApiRefused: See `Link.api`.
    """
    found: list[JsonObject] = []
    for page in _pages("STREAM.LIST"):
        if away := sorted(_away(page)):
            raise BrokerAway(f"no server answers for stream {', '.join(away)}")
        found += page.get("streams") or ()
    return found


def live_stream(name: str) -> JsonObject | None:
    """Return JetStream's info of one stream; None when it has none of this name."""
    return _info(f"STREAM.INFO.{name}", NO_SUCH_STREAM)


def live_consumers(stream: str) -> list[JsonObject]:
    """Return JetStream's info of every consumer of one stream."""
    pages = _pages(f"CONSUMER.LIST.{stream}")
    return [info for page in pages for info in page.get("consumers") or ()]


def live_consumer(stream: str, name: str) -> JsonObject | None:
    return _info(f"CONSUMER.INFO.{stream}.{name}", NO_SUCH_CONSUMER)


def api_level() -> int:
    """Return the API level of the server that answers; 0 before 2.11."""
    return int(link().api("INFO").get("api", {}).get("level", 0))


def look(*, names: Collection[str] | None, with_consumers: Collection[str] | None) -> Live:
    """
    Return what JetStream has.

    Args:
        names: Of streams; None means all.
        with_consumers: Of those whose consumers are looked at as well; None means all.

    Raises:
        BrokerAway, ApiRefused: See `Link.api`.
    """
    unreached: set[str] = set()
    if names is None:
        infos: list[JsonObject] = []
        for page in _pages("STREAM.LIST"):
            infos += page.get("streams") or ()
            unreached |= _away(page)
    else:
        infos = [info for name in names if (info := live_stream(name))]
    streams = {info["config"]["name"]: info for info in infos}
    consumers: dict[str, JsonObject] = {}
    for stream, found in streams.items():
        asked = with_consumers is None or stream in with_consumers
        if not asked or not found["state"].get("consumer_count"):
            continue
        for page in _pages(f"CONSUMER.LIST.{stream}"):
            for info in page.get("consumers") or ():
                consumers[f"{stream}/{info['name']}"] = info
            unreached |= {f"{stream}/{name}" for name in _away(page)}
    return Live(api_level(), streams, consumers, frozenset(unreached))


def _pages(verb: str) -> Iterator[JsonObject]:
    offset = 0
    while True:
        page = link().api(verb, {"offset": offset})
        yield page
        # By the server's own limit and not by what came: in a cluster some may be left out.
        offset += page.get("limit") or 1
        if offset >= page.get("total", 0):
            return


def _away(page: JsonObject) -> set[str]:
    return {*(page.get("missing") or ()), *(page.get("offline") or ())}


def _info(verb: str, absent: int) -> JsonObject | None:
    try:
        return link().api(verb)
    except ApiRefused as e:
        if e.code == absent:
            return None
        raise
