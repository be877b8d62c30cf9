"""
What a user of NATS may publish and subscribe.

A list that is missing from the server's configuration allows everything, so both are always
written; see `core.serverconf`. Nobody but an administrator may purge, delete or change a stream.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

EVERYTHING = ">"
# Clients of all languages make their reply subjects below it.
INBOX = "_INBOX.>"
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


class Permissions(msgspec.Struct, frozen=True):
    """Subject patterns. Nothing may be done that is not allowed; a denial counts before."""

    publish_allow: tuple[str, ...] = ()
    publish_deny: tuple[str, ...] = ()
    subscribe_allow: tuple[str, ...] = ()
    subscribe_deny: tuple[str, ...] = ()


def admin() -> Permissions:
    """Return everything in the account."""
    return Permissions(publish_allow=(EVERYTHING,), subscribe_allow=(EVERYTHING,))


def producer(subjects: Sequence[str], user: str = "") -> Permissions:
    """
    Return what publishing these subjects with acknowledgements needs.

    Args:
        user: Its name, see `_inboxes`.

    The acknowledgement comes to the inbox. Which stream stores a subject, and whether it takes
    batches, is what clients ask before they publish.
    """
    asked = ("$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.*")
    return Permissions(
        publish_allow=unique((*subjects, *asked)),
        subscribe_allow=_inboxes(user),
    )


def consumer(subjects: Sequence[str], streams: Sequence[str], user: str = "") -> Permissions:
    """
    Return what reading these subjects, and consuming these streams with durables, needs.

    Args:
        user: Its name, see `_inboxes`.

    A stream is consumed whole: the older way to create a durable, which nats-py uses, names no
    filter in its subject, so that the server cannot hold a user to one.
    """
    asked = ("$JS.API.INFO", "$JS.API.STREAM.NAMES")
    of_streams = (subject for stream in streams for subject in _consuming(stream))
    return Permissions(
        publish_allow=unique((*asked, *of_streams)),
        subscribe_allow=unique((*subjects, *_inboxes(user))),
    )


def _inboxes(user: str) -> tuple[str, ...]:
    """
    Return where replies may be read: at the common inbox, and at one that is the user's alone.

    A client that is given the prefix `_INBOX_name` hides its replies from all other users.
    """
    # No wildcard and no dot, or one name could cover another's.
    return (INBOX, f"_INBOX_{user}.>") if _PLAIN.fullmatch(user) else (INBOX,)


def _consuming(stream: str) -> Iterable[str]:
    yield f"$JS.API.STREAM.INFO.{stream}"
    api = "$JS.API.CONSUMER"
    yield from (f"{api}.NAMES.{stream}", f"{api}.LIST.{stream}", f"{api}.INFO.{stream}.*")
    yield from (f"{api}.CREATE.{stream}", f"{api}.CREATE.{stream}.>")
    yield f"{api}.DURABLE.CREATE.{stream}.*"
    yield f"{api}.MSG.NEXT.{stream}.*"
    # Today's subject, and the one with a domain and an account before the stream that
    # nats-server 2.14 announced.
    for kind in ("ACK", "FC"):
        yield from (f"$JS.{kind}.{stream}.>", f"$JS.{kind}.*.*.{stream}.>")


def unique(subjects: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(subjects))
