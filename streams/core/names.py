"""What streams and consumers may be called."""

from __future__ import annotations

from streams.core.errors import BadDefinition

LONGEST_NAME = 255
# What NATS gives a meaning in subjects, and file systems in paths.
_NOT_IN_NAMES = frozenset(".*>/\\")


def check_name(name: str, field: str = "stream") -> str:
    """
    Return the name of a stream or consumer when it can be one; it becomes part of a subject.

    Raises:
        BadDefinition: Its `field` is `field`.
    """
    if not name or len(name) > LONGEST_NAME:
        raise BadDefinition(field, f"a name has 1 to {LONGEST_NAME} characters")
    if any(c in _NOT_IN_NAMES or c.isspace() or not c.isprintable() for c in name):
        raise BadDefinition(field, f"{name!r}: a name holds none of . * > / \\ and no white space")
    return name
