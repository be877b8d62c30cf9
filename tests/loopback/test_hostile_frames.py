"""
Frames whose words are not what the exchange promised, for every exchange and both kinds of link.

Of one good frame each field is left out and replaced by all that comes to mind. None of it ends a
link, every frame is accounted for, and the good ones between them are published.
"""

from __future__ import annotations

import json
import re
from contextlib import AsyncExitStack
from typing import Any

from pipeline.core.spec import SourceSpec
from pipeline.core.status import State
from tests.loopback.hostile import MB, frame, peer, says
from tests.loopback.supervised import house
from tests.loopback.test_hostile import KINDS, beside_an_honest_one

GOOD: dict[str, Any] = {
    "binance": {
        "stream": "btcusdt@trade",
        "data": {
            "e": "trade", "E": 1, "s": "BTCUSDT", "t": 7, "p": "1.5", "q": "2", "T": 1, "m": True,
        },
    },
    "okx": {
        "arg": {"channel": "trades", "instId": "BTC-USDT"},
        "data": [
            {
                "instId": "BTC-USDT", "tradeId": "7", "px": "1.5", "sz": "2", "side": "buy",
                "ts": "1", "count": "1",
            }
        ],
    },
    "deribit": {
        "jsonrpc": "2.0",
        "method": "subscription",
        "params": {
            "channel": "trades.BTC-PERPETUAL.100ms",
            "data": [
                {
                    "instrument_name": "BTC-PERPETUAL", "trade_seq": 7, "trade_id": "7",
                    "timestamp": 1, "price": 1.5, "amount": 2, "direction": "buy",
                }
            ],
        },
    },
}  # fmt: skip

DIGITS = "9" * 5_000

# As JSON: what stands in place of a value.
INSTEAD = (
    "NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", '"1e400"', '"nan"', '"inf"',
    DIGITS, f'"{DIGITS}"', "-1", "1.5", "0.1e1", str(2**63), str(2**64), "null", "true", "{}", "[]",
    '""', '"x"', '"\\u0000"', '"a\\nb"', '"\\ud800"', f'"{"x" * 100_000}"', "[" * 100_000,
    '{"a":' * 100_000, "[" * 500 + "]" * 500,
)  # fmt: skip

# Frames that hold nothing of a good one.
OTHERS = (
    b"", b" ", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf{}", b"{", b"}", b"[]", b"{}", b"null", b"7",
    b'"x"', b"NaN", b"[" * 100_000, b'{"a":' * 100_000, b"{}{}", b"x" * (MB - 1), b"\xc0\xaf",
    b'{"data":null}', b'{"stream":7,"data":{}}', b'{"params":[]}', b'{"arg":7,"data":[1]}',
    b'{"event":null}', b'{"method":"heartbeat","params":{"type":"x"}}', b'{"id":99,"result":{}}',
    b'{"code":"x","msg":7}',
)  # fmt: skip

PRICE = {
    "binance": ("data", "p"),
    "okx": ("data", 0, "px"),
    "deribit": ("params", "data", 0, "price"),
}
# (exchange, what stands instead of the price, the reason that is counted)
REASONS = (
    ("binance", "NaN", "json"),
    ("binance", '"nan"', "number"),
    ("binance", '"1e400"', "number"),
    ("binance", "[" * 100_000, "json|nesting"),
    ("binance", "true", "shape"),
    ("binance", None, "shape"),
    ("okx", '"inf"', "number"),
    ("okx", "1", "shape"),
    ("deribit", "NaN", "json|number"),
    ("deribit", "1e400", "number"),
    ("deribit", "[" * 100_000, "json|nesting"),
    ("deribit", "true", "number|shape"),
    ("deribit", None, "shape"),
)


def places(found, path=()):
    """Yield the path of each value within a frame."""
    pairs = found.items() if isinstance(found, dict) else enumerate(found)
    for key, value in pairs:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def with_other(good, path, text):
    """Return a frame with this text instead of a value; None leaves the field out."""
    found = json.loads(json.dumps(good))
    *way, last = path
    holder = found
    for key in way:
        holder = holder[key]
    if text is None:
        del holder[last]
        return json.dumps(found).encode()
    holder[last] = "@HERE@"
    return json.dumps(found).replace('"@HERE@"', text).encode()


def all_bad(venue):
    good = GOOD[venue]
    changed = [with_other(good, path, text) for path in places(good) for text in (None, *INSTEAD)]
    return [*changed, *OTHERS]


def of(venue, at, source_id, **more):
    return SourceSpec(
        source_id=source_id, protocol="websocket", endpoint=f"ws://{at}/ws", venue=venue, **more
    )


async def test_no_words_end_a_link_and_every_frame_is_accounted_for():
    bad = {venue: all_bad(venue) for venue in GOOD}
    deeds = {}
    for venue, good in GOOD.items():
        last = json.dumps(good).replace("7", "8").encode()
        texts = [json.dumps(good).encode(), *bad[venue], last]
        deeds[venue] = says(*map(frame, texts))
    async with beside_an_honest_one(deeds) as (here, at, good_one):
        names = {f"{venue}, {kind}": (venue, kind) for venue in GOOD for kind in KINDS}
        await here.run(
            good_one,
            *(
                of(venue, at[venue], name, trusted=KINDS[kind])
                for name, (venue, kind) in names.items()
            ),
        )
        await here.until(
            lambda: all(
                here.status(name).received == len(bad[venue]) + 2
                for name, (venue, _) in names.items()
            ),
            60,
        )
        for name in names:
            status = here.status(name)
            assert (status.state, status.links, status.disconnects) == (State.RUNNING, 1, 0), name
            assert status.last_error.isprintable()
            # Replies are neither published nor dropped; hardly anything here is one.
            taken = status.published + status.repeated + status.undecodable + status.ignored
            assert taken >= status.received - len(OTHERS), (name, status)
            assert status.undecodable > 0.8 * status.received, (name, status)
            assert set(status.problems) <= {"json", "shape", "text", "number", "nesting"}, name
            assert {"json", "shape", "number"} <= set(status.problems), name


async def test_a_price_that_is_none_is_counted_by_its_reason():
    async with AsyncExitStack() as stack:
        specs = []
        for number, (venue, text, _) in enumerate(REASONS):
            deed = says(frame(with_other(GOOD[venue], PRICE[venue], text)))
            at = await stack.enter_async_context(peer(deed))
            specs.append(of(venue, at, str(number)))
        here = await stack.enter_async_context(house())
        await here.run(*specs)
        await here.until(lambda: all(s.undecodable == 1 for s in here.supervisor.statuses()))

        found = [list(here.status(spec.source_id).problems) for spec in specs]

    for (venue, text, reason), said in zip(REASONS, found, strict=True):
        assert re.fullmatch(reason, *said), (venue, (text or "")[:20])
