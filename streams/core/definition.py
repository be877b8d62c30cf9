"""What a stream should be, in our words and in JetStream's."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from streams.core.errors import BadDefinition, BadSubject
from streams.core.subjects import check_pattern

Retention = Literal["limits", "interest", "workqueue"]
Storage = Literal["file", "memory"]

NANOSECONDS = 1_000_000_000
# nats-server refuses a window longer than the stream's age limit.
DUPLICATE_WINDOW_S = 120


class StreamDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    One declared stream.

    Attributes:
        max_age_s: Seconds a message is kept; 0 for ever.
        max_msgs, max_bytes: Limits of the whole stream; 0 for none.
    """

    name: str
    subjects: tuple[str, ...]
    retention: Retention = "limits"
    storage: Storage = "file"
    max_age_s: int = 0
    max_msgs: int = 0
    max_bytes: int = 0


def check(definition: StreamDefinition) -> None:
    """
    Raises:
        BadDefinition: Names the field and what is wrong with it.
    """
    name = definition.name
    if not name or len(name) > 32 or not name.replace("_", "").replace("-", "").isalnum():  # noqa: PLR2004
        raise BadDefinition("name", "1 to 32 letters, digits, - or _")
    if not name.isascii():
        raise BadDefinition("name", "ASCII letters only")
    if not definition.subjects:
        raise BadDefinition("subjects", "at least one is needed")
    for subject in definition.subjects:
        try:
            check_pattern(subject)
        except BadSubject as e:
            raise BadDefinition("subjects", str(e)) from e
    for field in ("max_age_s", "max_msgs", "max_bytes"):
        if getattr(definition, field) < 0:
            raise BadDefinition(field, "cannot be negative; 0 means no limit")


def request(definition: StreamDefinition) -> dict[str, Any]:
    """Return the body of JetStream's STREAM.CREATE."""
    age_s = definition.max_age_s
    return {
        "name": definition.name,
        "subjects": list(definition.subjects),
        "retention": definition.retention,
        "storage": definition.storage,
        "max_age": age_s * NANOSECONDS,
        "max_msgs": definition.max_msgs or -1,
        "max_bytes": definition.max_bytes or -1,
        "max_consumers": -1,
        "num_replicas": 1,
        "discard": "old",
        "duplicate_window": min(age_s or DUPLICATE_WINDOW_S, DUPLICATE_WINDOW_S) * NANOSECONDS,
        "allow_direct": True,
    }
