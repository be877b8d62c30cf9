from __future__ import annotations

import msgspec
import pytest

from streams.core import definition
from streams.core.definition import StreamDefinition
from streams.core.errors import BadDefinition

GOOD = StreamDefinition("MARKET_DATA", ("market.>",), max_age_s=3600, max_msgs=1_000_000)


def test_limits_are_said_in_jetstreams_units():
    body = definition.request(GOOD)

    assert body["max_age"] == 3_600_000_000_000
    assert body["max_msgs"] == 1_000_000
    assert body["max_bytes"] == -1
    assert body["duplicate_window"] == 120_000_000_000


def test_the_duplicate_window_is_never_longer_than_messages_live():
    body = definition.request(msgspec.structs.replace(GOOD, max_age_s=10))

    assert body["duplicate_window"] == 10_000_000_000


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "has.dot"}, "name"),
        ({"name": "x" * 33}, "name"),
        ({"subjects": ()}, "subjects"),
        ({"subjects": ("a..b",)}, "subjects"),
        ({"max_msgs": -1}, "max_msgs"),
    ],
)
def test_a_bad_definition_names_its_field(change, field):
    with pytest.raises(BadDefinition) as caught:
        definition.check(msgspec.structs.replace(GOOD, **change))

    assert caught.value.field == field
