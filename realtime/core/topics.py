"""
Which topics exist and who may listen to them.

A topic is a NATS subject pattern under one of four roots. The root itself cannot be a wildcard:
the permission hangs on it.
"""

from __future__ import annotations

from streams.core.errors import BadSubject
from streams.core.subjects import check_pattern, matches

# What each root carries, and whether it takes staff to read it. Service logs may name hosts,
# files and addresses.
STAFF_ONLY = {"market": False, "account": False, "system": False, "service": True}

# The newest message says all there is to know, so a newcomer is given it at once.
KEPT = ("account.>", "market.*.*.ticker")


class BadTopic(BadSubject):
    """A topic breaks the grammar, or has no known root."""


def check(topic: str) -> str:
    """
    Return the topic when it is one.

    Raises:
        BadTopic: See the module.
    """
    try:
        check_pattern(topic)
    except BadSubject as e:
        raise BadTopic(str(e)) from e
    if topic.split(".", 1)[0] not in STAFF_ONLY or "." not in topic:
        raise BadTopic(f"a topic begins with one of {', '.join(f'{root}.' for root in STAFF_ONLY)}")
    return topic


def may_subscribe(*, is_authenticated: bool, is_staff: bool, topic: str) -> bool:
    """Return whether such a user may listen to this topic; an unknown topic is nobody's."""
    staff_only = STAFF_ONLY.get(topic.split(".", 1)[0])
    return staff_only is not None and is_authenticated and (is_staff or not staff_only)


def keeps_last(subject: str) -> bool:
    """Return whether the hub remembers the newest message of this subject."""
    return any(matches(pattern, subject) for pattern in KEPT)
