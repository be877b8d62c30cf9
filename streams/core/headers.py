"""The headers of a stored message."""

from __future__ import annotations

from collections.abc import Iterator


def headers(raw: bytes) -> dict[str, list[str]]:
    """Return the headers of a stored message; a name may have several values."""
    found: dict[str, list[str]] = {}
    for name, value in _header_lines(raw):
        found.setdefault(name, []).append(value)
    return found


def _header_lines(raw: bytes) -> Iterator[tuple[str, str]]:
    # The first line is NATS/1.0.
    for line in raw.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            yield name.decode(errors="replace"), value.decode(errors="replace").strip()
