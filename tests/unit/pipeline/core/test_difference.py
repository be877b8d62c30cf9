from __future__ import annotations

from msgspec import structs

from pipeline.core.difference import begins_anew
from pipeline.core.spec import SourceSpec

SPEC = SourceSpec(source_id="a", protocol="websocket", endpoint="", venue="binance")


def test_what_to_subscribe_to_is_changed_while_the_links_stay():
    for change in ({"symbols": ("A",)}, {"types": ("trade",)}, {"intervals": ("1h",)}):
        assert not begins_anew(SPEC, structs.replace(SPEC, **change))


def test_everything_else_begins_anew():
    assert begins_anew(None, SPEC)
    assert begins_anew(SPEC, structs.replace(SPEC, silence_s=3.0))
    assert begins_anew(SPEC, structs.replace(SPEC, options={"a": "b"}))
    # From taking what comes to asking for it, or back.
    assert begins_anew(SPEC, structs.replace(SPEC, symbols=("A",), types=("trade",)))
