"""
Which topics exist and who may listen to them.

A topic is a NATS subject pattern under one of a few roots: those below, and those of the templates
of market data. The root itself cannot be a wildcard: the permission hangs on it.
"""

from __future__ import annotations

from streams.core.errors import BadSubject
from streams.core.subjects import check_pattern, matches
from streams.core.templates import STANDARD, Templates

# What each root carries beside market data, and whether it takes staff to read it. Service logs may
# name hosts, files and addresses.
STAFF_ONLY = {"account": False, "system": False, "service": True}


class BadTopic(BadSubject):
    """A topic breaks the grammar, or has no known root."""


def check(topic: str, templates: Templates = STANDARD) -> str:
    """
    Return the topic when it is one.

    Raises:
        BadTopic: See the module.
    """
    try:
        check_pattern(topic)
    except BadSubject as e:
        raise BadTopic(str(e)) from e
    roots = _staff_only(templates)
    if topic.split(".", 1)[0] not in roots or "." not in topic:
        raise BadTopic(f"a topic begins with one of {', '.join(f'{root}.' for root in roots)}")
    return topic


def may_subscribe(
    *, is_authenticated: bool, is_staff: bool, topic: str, templates: Templates = STANDARD
) -> bool:
    """Return whether such a user may listen to this topic; an unknown topic is nobody's."""
    staff_only = _staff_only(templates).get(topic.split(".", 1)[0])
    return staff_only is not None and is_authenticated and (is_staff or not staff_only)


def keeps_last(subject: str, templates: Templates = STANDARD) -> bool:
    """
    Return whether the hub remembers the newest message of this subject: it says all there is to
    know, so a newcomer is given it at once.
    """
    if matches("account.>", subject):
        return True
    place = templates.parse(subject)
    return place is not None and place.data_type == "ticker"


def _staff_only(templates: Templates) -> dict[str, bool]:
    return {**dict.fromkeys(sorted(templates.roots), False), **STAFF_ONLY}
