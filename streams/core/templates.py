"""
How the subject of market data is built, and what a subject says: one template for each type.

A template is a subject in which `{exchange}`, `{symbol}`, `{interval}` and `{type}` stand for what
they name, each alone in its token: `market.{exchange}.{symbol}.kline.{interval}`. So each template
is also a pattern that NATS can match, and a subject tells again what it was built from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from types import MappingProxyType

import msgspec

from streams.core import subjects
from streams.core.errors import BadDefinition, BadSubject

# Each type of data, and the token that `{type}` becomes.
TYPES: Mapping[str, str] = MappingProxyType(
    {
        "trade": "trade",
        "orderbook": "orderbook",
        "ticker": "ticker",
        "kline": "kline",
        "volatility_index": "volatility-index",
        "funding": "funding",
    }
)
SCHEMES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "market": {
            name: "market.{exchange}.{symbol}.{type}" + (".{interval}" if name == "kline" else "")
            for name in TYPES
        },
        # As older consumers know it: the type comes first.
        "push": {
            name: "{type}.{exchange}.{symbol}".replace("{type}", token)
            + (".{interval}" if name == "kline" else "")
            for name, token in TYPES.items()
        },
    }
)
DEFAULT = "market"

LONGEST = 200
# What else is published here; a stranger's symbol must not become one of these.
RESERVED = frozenset({"account", "system", "service", "dlq"})
CACHED = 65_536

_PLACE = re.compile(r"\{(\w+)\}")
_ALWAYS = ("exchange", "symbol")
_KNOWN = (*_ALWAYS, "interval", "type")


class Place(msgspec.Struct, frozen=True):
    """What a subject of market data says. `interval` is empty where the type has none."""

    data_type: str
    exchange: str
    symbol: str
    interval: str = ""


class Template(msgspec.Struct, frozen=True):
    """One checked template. A token is a literal, or a placeholder's name in braces."""

    data_type: str
    text: str
    tokens: tuple[str, ...]

    @property
    def pattern(self) -> str:
        """The narrowest NATS pattern that all its subjects match."""
        return ".".join("*" if token.startswith("{") else token for token in self.tokens)


class Templates:
    """
    One template for each type of data, none of which builds a subject of another.

    `build` and `parse` remember what they found, so both cost a look-up for each message.
    """

    def __init__(self, templates: Mapping[str, Template]) -> None:
        self.by_type = dict(templates)
        self.build = lru_cache(CACHED)(self._build)
        self.parse = lru_cache(CACHED)(self._parse)

    @property
    def texts(self) -> dict[str, str]:
        """Plain data, from which `compiled` makes the same again."""
        return {name: template.text for name, template in self.by_type.items()}

    @property
    def patterns(self) -> dict[str, str]:
        return {name: template.pattern for name, template in self.by_type.items()}

    @property
    def roots(self) -> frozenset[str]:
        """The first tokens: what permissions and streams hang on."""
        return frozenset(template.tokens[0] for template in self.by_type.values())

    def _build(self, data_type: str, exchange: str, symbol: str, interval: str = "") -> str:
        """
        Return the subject of one type of data of one instrument.

        Raises:
            BadSubject: A type without a template, or a part is empty or too long.
        """
        template = self.by_type.get(data_type)
        if template is None:
            raise BadSubject(f"there is no template for data of type {data_type!r}")
        values = {"{exchange}": exchange, "{symbol}": symbol, "{interval}": interval}
        built = ".".join(
            subjects.escape(values[token]) if token in values else token
            for token in template.tokens
        )
        if len(built) > subjects.MAX_LENGTH:
            raise BadSubject(f"a subject has at most {subjects.MAX_LENGTH} characters")
        return built

    def _parse(self, subject: str) -> Place | None:
        """Return what a concrete subject says; None where no template builds it."""
        parts = subject.split(".")
        for template in self.by_type.values():
            if _fits(template.tokens, parts):
                found = {
                    token[1:-1]: subjects.unescape(part)
                    for token, part in zip(template.tokens, parts, strict=True)
                    if token.startswith("{")
                }
                return Place(template.data_type, **found)
        return None


def compiled(texts: Mapping[str, str]) -> Templates:
    """
    Return these templates, checked.

    Args:
        texts: By type of data.

    Raises:
        BadDefinition: Its `field` is the type of data whose template cannot be.
    """
    found = {name: _template(name, text) for name, text in texts.items()}
    for one, other in combinations(found.values(), 2):
        if subjects.overlap(one.pattern, other.pattern):
            raise BadDefinition(
                other.data_type,
                f"{other.text} would build subjects of {one.data_type} ({one.text})",
            )
    return Templates(found)


def scheme(name: str, changed: Mapping[str, str] | None = None) -> Templates:
    """
    Return the templates of a scheme, with those that were changed.

    Raises:
        BadDefinition: See `compiled`.
    """
    return compiled({**SCHEMES[name], **(changed or {})})


def uncovered(templates: Templates, stored: Sequence[str]) -> dict[str, str]:
    """
    Return what no stream would store: the pattern, by type of data.

    Args:
        stored: The subjects of all streams.
    """
    return uncovered_patterns(templates.patterns, stored)


def uncovered_patterns(patterns: Mapping[str, str], stored: Sequence[str]) -> dict[str, str]:
    """See `uncovered`."""
    return {
        name: pattern
        for name, pattern in patterns.items()
        if not any(subjects.covers(wide, pattern) for wide in stored)
    }


def _template(data_type: str, text: str) -> Template:
    if data_type not in TYPES:
        raise BadDefinition(data_type, f"is none of {', '.join(TYPES)}")
    if not text or len(text) > LONGEST:
        raise BadDefinition(data_type, f"a template has 1 to {LONGEST} characters")
    tokens = tuple(
        TYPES[data_type] if part == "{type}" else part for part in _parts(data_type, text)
    )
    _check_places(data_type, tokens)
    _check_root(data_type, tokens[0])
    return Template(data_type, text, tokens)


def _parts(data_type: str, text: str) -> list[str]:
    parts = text.split(".")
    for part in parts:
        place = _PLACE.fullmatch(part)
        if place and place[1] not in _KNOWN:
            raise BadDefinition(
                data_type, f"{part} is none of {', '.join(f'{{{name}}}' for name in _KNOWN)}"
            )
        if not place and ("{" in part or "}" in part):
            raise BadDefinition(data_type, f"{part}: a placeholder stands alone in its token")
        if not place:
            _check_literal(data_type, part)
    return parts


def _check_literal(data_type: str, part: str) -> None:
    try:
        written = subjects.escape(part)
    except BadSubject as e:
        raise BadDefinition(data_type, str(e)) from e
    if written != part:
        raise BadDefinition(data_type, f"{part!r} holds a wildcard, a space or a percent sign")


def _check_places(data_type: str, tokens: tuple[str, ...]) -> None:
    needed = (*_ALWAYS, "interval") if data_type == "kline" else _ALWAYS
    for name in (*_ALWAYS, "interval"):
        count = tokens.count(f"{{{name}}}")
        if name in needed and count != 1:
            raise BadDefinition(data_type, f"{{{name}}} must be in it once")
        if name not in needed and count:
            raise BadDefinition(data_type, f"{{{name}}} means nothing for this type")


def _check_root(data_type: str, root: str) -> None:
    if root.startswith(("{", "$", "_")) or root in RESERVED:
        raise BadDefinition(
            data_type,
            f"{root} cannot come first: a name of our own must, which is not used otherwise",
        )


def _fits(tokens: tuple[str, ...], parts: list[str]) -> bool:
    return len(tokens) == len(parts) and all(
        part if token.startswith("{") else token == part
        for token, part in zip(tokens, parts, strict=True)
    )


STANDARD = scheme(DEFAULT)
