"""
The subject grammar, in one place: build, parse, match, escape.

    market.{exchange}.{symbol}.{type}          as `core.templates` has it, which may be edited
    account.{server}.{login}.{type}            type: account, update, positions, orders
    system.service.{service}.{event}           system.alert.{level}.{type}   system.health.{service}
    service.{service}.log.{level}              service.{service}.metrics

A pattern may hold `*` for one token and, at its end, `>` for one or more. A symbol or server name
may hold any character: those that NATS gives a meaning are percent-escaped (`.` is `%2E`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import unquote

from streams.core.errors import BadSubject

# nats-server refuses longer control lines at 4 KB; leave room for the reply and the sizes.
MAX_LENGTH = 1024

_PLAIN = re.compile(r"[\w:;,/+=~@&#!?()-]+", re.ASCII)


def escape(token: str) -> str:
    """
    Return the text as one subject token.

    What NATS reads, white space and what cannot be printed become percent and UTF-8, as in a URL.

    Raises:
        BadSubject: It is empty, or no text that UTF-8 can write.
    """
    if not token:
        raise BadSubject("a subject token cannot be empty")
    if _PLAIN.fullmatch(token):
        return token
    try:
        return "".join(map(_written, token))
    except UnicodeEncodeError as e:
        raise BadSubject(f"{token!r} is no text") from e


def unescape(token: str) -> str:
    return unquote(token)


def _written(character: str) -> str:
    if character not in ".*>%" and character.isprintable() and not character.isspace():
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode())


@lru_cache(maxsize=65_536)
def account(server: str, login: str, kind: str) -> str:
    return f"account.{escape(server)}.{escape(login)}.{kind}"


def tokens(subject: str) -> list[str]:
    """
    Return the tokens of a concrete subject, as they are written.

    Raises:
        BadSubject: Empty, too long, an empty token, a wildcard or white space.
    """
    parts = _parts(subject)
    if any(part in ("*", ">") for part in parts):
        raise BadSubject(f"{subject!r} holds a wildcard where a concrete subject is needed")
    return parts


def check_pattern(pattern: str) -> str:
    """
    Return the pattern when it is one.

    Raises:
        BadSubject: As `tokens`, or `>` before the end.
    """
    if ">" in _parts(pattern)[:-1]:
        raise BadSubject(f"{pattern!r}: > is allowed at the end only")
    return pattern


def matches(pattern: str, subject: str) -> bool:
    """Return whether a concrete subject falls under a valid pattern."""
    return _covers(pattern.split("."), subject.split("."))


def covers(pattern: str, narrower: str) -> bool:
    """Return whether every subject that `narrower` matches is matched by `pattern` too."""
    return _covers(pattern.split("."), narrower.split("."))


def overlap(one: str, other: str) -> bool:
    """Return whether any subject is matched by both patterns."""
    left, right = one.split("."), other.split(".")
    for a, b in zip(left, right, strict=False):
        if ">" in (a, b):
            return True
        if "*" not in (a, b) and a != b:
            return False
    return len(left) == len(right)


_Node: TypeAlias = "dict[str, _Node]"
# No token is empty.
_END = ""


class Patterns:
    """
    Many patterns at once: a subject is matched token by token down one tree, and not pattern by
    pattern.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._root: _Node = {}
        for pattern in patterns:
            node = self._root
            for token in pattern.split("."):
                node = node.setdefault(token, {})
            node[_END] = {}

    def match(self, subject: str) -> bool:
        """Return whether any of the patterns matches a concrete subject."""
        nodes = [self._root]
        for token in subject.split("."):
            if any(">" in node for node in nodes):
                return True
            nodes = [node[key] for node in nodes for key in (token, "*") if key in node]
        return any(_END in node for node in nodes)


def _covers(wide: Sequence[str], narrow: Sequence[str]) -> bool:
    for index, part in enumerate(wide):
        if part == ">":
            return len(narrow) > index
        if index >= len(narrow) or narrow[index] == ">":
            return False
        if part not in ("*", narrow[index]):
            return False
    return len(wide) == len(narrow)


def _parts(text: str) -> list[str]:
    if not text or len(text) > MAX_LENGTH:
        raise BadSubject(f"a subject has 1 to {MAX_LENGTH} characters")
    if any(c.isspace() or not c.isprintable() for c in text):
        raise BadSubject(f"{text!r} holds white space or a control character")
    parts = text.split(".")
    for part in parts:
        if not part:
            raise BadSubject(f"{text!r} has an empty token")
        if len(part) > 1 and ("*" in part or ">" in part):
            raise BadSubject(f"{text!r}: a wildcard stands alone in its token")
    return parts
