from __future__ import annotations

import msgspec

from pipeline.core.spec import Credentials, SourceSpec
from pipeline.core.status import WorkerSettings


def test_a_login_is_never_shown():
    spec = SourceSpec(
        source_id="x",
        protocol="websocket",
        endpoint="ws://x",
        venue="binance",
        credentials=Credentials("reader", "hush"),
    )

    assert "reader" not in repr(spec)
    assert "hush" not in repr(spec)
    assert "hush" not in repr(WorkerSettings(nats_url="nats://a:hush@b"))


def test_a_spec_crosses_to_another_process_unchanged():
    spec = SourceSpec(
        source_id="x",
        protocol="websocket",
        endpoint="ws://x",
        venue="binance",
        credentials=Credentials("reader", "hush"),
    )

    assert msgspec.json.decode(msgspec.json.encode(spec), type=SourceSpec) == spec
