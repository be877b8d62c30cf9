"""Typed readers for the environment. Only `settings` calls them; a bad value names its variable."""

from __future__ import annotations

import base64
import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

PREFIX = "TICKPLANE_"
KEY_BYTES = 32


class BadEnvironment(Exception):
    """An environment variable has a value, or a name, that we refuse to guess about."""


def _is_url(text: str, schemes: Iterable[str]) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port  # Raises when it is not a port number.
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.hostname or parts.scheme == "sqlite")


class Environment:
    """
    One view of the environment variables.

    Every variable that is asked for is remembered, so that `refuse_unknown` can tell a
    misspelt setting from one that belongs to somebody else.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._asked: set[str] = set()

    def text(self, name: str, default: str) -> str:
        self._asked.add(name)
        return self._variables.get(name, "").strip() or default

    def words(self, name: str, default: Iterable[str] = ()) -> list[str]:
        """Return a comma-separated list."""
        return [
            word.strip() for word in self.text(name, ",".join(default)).split(",") if word.strip()
        ]

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.text(name, str(default)).lower()
        if value not in ("true", "false"):
            raise BadEnvironment(f"{name} is {value!r}; use true or false.")
        return value == "true"

    def whole(self, name: str, default: int, *, least: int, most: int) -> int:
        value = self.text(name, str(default))
        # Python itself refuses to read thousands of digits.
        number = int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None  # noqa: PLR2004
        if number is None or not least <= number <= most:
            raise BadEnvironment(
                f"{name} is {value!r}; use a whole number between {least} and {most}."
            )
        return number

    def choice(self, name: str, default: str, choices: Iterable[str]) -> str:
        value = self.text(name, default)
        if value not in choices:
            raise BadEnvironment(f"{name} is {value!r}; use one of {', '.join(choices)}.")
        return value

    def url(
        self, name: str, schemes: Iterable[str], default: str = "", *, several: bool = False
    ) -> str:
        """
        Return a URL whose scheme is one of `schemes`, or the default.

        Args:
            several: It may be a list of them, with commas between.

        Raises:
            BadEnvironment: Another scheme, or no host. The message never holds the value:
                a URL may carry a password.
        """
        value = self.text(name, default)
        if not value:
            return ""
        # A password may hold a comma; what follows the one between two is a scheme.
        each = re.split(r",\s*(?=[a-z]+://)", value) if several else [value]
        if not all(_is_url(one, schemes) for one in each):
            raise BadEnvironment(
                f"{name} is not a URL of the form {'|'.join(schemes)}://host:port."
            )
        return value

    def database(self, name: str, default: str) -> dict[str, object]:
        """Return Django's connection settings for the database URL in `name`."""
        url = self.url(name, ("postgres", "postgresql", "sqlite"), default)
        try:
            return dict(environ.Env.db_url_config(url))
        except (ImproperlyConfigured, ValueError) as e:
            raise BadEnvironment(f"{name} is not a database URL.") from e

    def secret(self, name: str, default: str) -> str:
        """Return the contents of the file named by `NAME_FILE`, else `NAME`, else the default."""
        if path := self.text(f"{name}_FILE", ""):
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as e:  # ValueError: bytes that are no text.
                raise BadEnvironment(
                    f"{name}_FILE names a file that cannot be read: {path}."
                ) from e
        return self.text(name, default)

    def keys(self, name: str) -> list[str]:
        """
        Return the secret's comma-separated Fernet keys, the first of which seals.

        Raises:
            BadEnvironment: One is no key. The message never holds it.
        """
        texts = [text for text in re.split(r"[,\s]+", self.secret(name, "")) if text]
        # `secrets.token_urlsafe` leaves the padding out, as people do who copy it.
        keys = [text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4) for text in texts]
        for number, key in enumerate(keys, start=1):
            try:
                size = len(base64.b64decode(key, altchars=b"-_", validate=True))
            except ValueError:
                size = 0
            if size != KEY_BYTES:
                raise BadEnvironment(
                    f"{name}: key {number} is not {KEY_BYTES} bytes of URL-safe base64;"
                    " `manage.py rotate_account_keys --new-key` prints one."
                )
        return keys

    def refuse_unknown(self) -> None:
        """
        Raises:
            BadEnvironment: A variable with our prefix is no setting of ours.
        """
        for name in sorted(self._variables):
            if name.startswith(PREFIX) and name not in self._asked:
                near = difflib.get_close_matches(name, self._asked, n=1)
                hint = f" Did you mean {near[0]}?" if near else ""
                raise BadEnvironment(f"{name} is not a setting.{hint}")
