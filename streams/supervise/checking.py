"""A configuration before it runs: the server itself says whether it would start with it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

from streams.core.serverconf import NodeConfiguration, render
from streams.supervise.folder import Folder, write_private
from streams.supervise.words import Words

CHECK_S = 10.0

_DIGEST = re.compile(r"is valid \((sha256:[0-9a-f]+)\)")


class ConfigurationRefused(Exception):
    """nats-server does not take this configuration; the text is its own reason."""


class Checker:
    def __init__(
        self, program: str, environment: Mapping[str, str], folder: Folder, words: Words
    ) -> None:
        self._program = program
        self._environment = environment
        self._folder = folder
        self._words = words

    def digest(self, c: NodeConfiguration) -> str:
        """
        Return the digest that the server will have with this configuration.

        Raises:
            ConfigurationRefused: It would not start with it.
        """
        try:
            text = render(c)
            write_private(self._folder.draft, text)
            done = subprocess.run(  # noqa: S603  our own program and path
                [self._program, "-c", str(self._folder.draft), "-t"],
                env=self._environment, stdin=subprocess.DEVNULL, capture_output=True,
                text=True, errors="replace", timeout=CHECK_S, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired, UnicodeEncodeError) as e:
            raise ConfigurationRefused(f"it cannot be checked: {e}") from e
        told = done.stdout + done.stderr
        found = _DIGEST.search(told)
        if done.returncode or found is None:
            raise ConfigurationRefused(self._words.told(told))
        return found[1]
