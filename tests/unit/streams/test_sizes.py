from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.errors import BadDefinition
from streams.core.sizes import duration_s, size_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1GB", 1024**3), ("10gb", 10 * 1024**3), ("1MB", 1024**2), ("64 kb", 65_536),
        ("1k", 1000), ("2m", 2_000_000), ("1GiB", 1024**3), ("1048576", 1024**2), ("0", 0),
    ],
)  # fmt: skip
def test_a_size_is_what_nats_server_makes_of_it(text, size):
    assert size_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2m", 120), ("2s", 2), ("1h30m", 5400), ("500ms", 0.5), ("1.5s", 1.5), ("7", 7),
        ("1d", 86_400),
    ],
)  # fmt: skip
def test_a_duration_is_in_seconds(text, seconds):
    assert duration_s(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "GB", "-1", "1XB", "1e9", "1.5GB", "99999999TB", "٣GB", "1 G B"]
)
def test_what_is_no_size_is_refused_by_its_field(text):
    with pytest.raises(BadDefinition, match="max_payload") as refused:
        size_bytes(text, "max_payload")

    assert refused.value.field == "max_payload"


@pytest.mark.parametrize(
    "text", ["", "m", "-2m", "2 m", "1e3", "nan", "inf", "2y", "999999999999h"]
)
def test_what_is_no_duration_is_refused_by_its_field(text):
    with pytest.raises(BadDefinition, match="ping_interval"):
        duration_s(text, "ping_interval")


@given(st.text())
def test_any_text_is_a_size_or_refused(text):
    try:
        assert 0 <= size_bytes(text) < 2**63
    except BadDefinition:
        return


@given(st.text(alphabet="0123456789.numshd "))
def test_any_text_is_a_duration_or_refused(text):
    try:
        assert 0 <= duration_s(text) < 2**63 / 1e9
    except BadDefinition:
        return
