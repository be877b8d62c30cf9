from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.arch.sources import APPS, ROOT, pyproject, tracked

LARGEST_BYTES = 400_000
LOCKS = {"uv.lock", "package-lock.json"}
# In halves, so that this file does not accuse itself.
PRIVATE = ("/wo" + "rk/", "/ro" + "ot/", "/tm" + "p/bash_")


def text_of(path: Path | str) -> str:
    return (ROOT / path).read_text(encoding="utf-8", errors="ignore")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file: str) -> dict[str, str]:
    """Return name → version of a requirements file."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*])?==([^ ;\\]+)", text_of(file), re.MULTILINE)
    return {canonical(name): version for name, version in found}


def wanted(*requirements: str) -> set[str]:
    return {canonical(re.split(r"[\[<>=!~; ]", text, maxsplit=1)[0]) for text in requirements}


@pytest.mark.parametrize(
    ("file", "groups"),
    [
        ("requirements.txt", ["main"]),
        ("requirements-dev.txt", ["main", "dev"]),
        ("requirements-node.txt", ["node"]),
    ],
)
def test_requirements_agree_with_the_lock(file, groups):
    declared = {
        "main": pyproject()["project"]["dependencies"],
        **pyproject()["dependency-groups"],
    }
    locked = {
        canonical(package["name"]): package["version"]
        for package in tomllib.loads(text_of("uv.lock"))["package"]
        if "version" in package
    }

    assert pins(file).items() <= locked.items()
    assert wanted(*(r for group in groups for r in declared[group])) <= pins(file).keys()


@pytest.mark.parametrize(
    "file", ["requirements.txt", "requirements-dev.txt", "requirements-node.txt"]
)
def test_every_hash_of_the_requirements_is_in_the_lock(file):
    hashes = set(re.findall(r"--hash=(sha256:[0-9a-f]+)", text_of(file)))

    assert hashes
    assert hashes <= set(re.findall(r"sha256:[0-9a-f]+", text_of("uv.lock")))


def test_no_tracked_file_is_large():
    large = [
        path
        for path in tracked()
        if path.name not in LOCKS and (ROOT / path).stat().st_size > LARGEST_BYTES
    ]

    assert large == []


def test_no_tracked_file_names_a_folder_of_somebodys_machine():
    named = [
        (str(path), private)
        for path in tracked()
        for private in PRIVATE
        if path.name not in LOCKS and private in text_of(path)
    ]

    assert named == []


# Removed in this order; what has letters after that would not be translated.
NOT_TEXT = (
    r"\{#.*?#\}",
    r"\{%\s*comment\b.*?%\}.*?\{%\s*endcomment\s*%\}",
    r"\{%\s*blocktrans(?:late)?\b.*?%\}.*?\{%\s*endblocktrans(?:late)?\s*%\}",
    r"\{%.*?%\}",
    r"\{\{.*?\}\}",
    r"<!--.*?-->",
    r"<(script|style|code|pre)\b.*?</\1>",
)
SHOWN_ATTRIBUTES = r"""\b(?:title|alt|placeholder|aria-label)=["']([^"']*)["']"""
WORD = re.compile(r"[A-Za-z]{2,}")
# Names, the same in every language.
NAMES = {"Tickplane", "NATS", "RabbitMQ", "UTC", "TradingView", "Lightweight", "Charts"}


def untranslated(html: str) -> list[str]:
    """Return the words of a template that a person sees and gettext does not."""
    for pattern in NOT_TEXT:
        html = re.sub(pattern, " ", html, flags=re.DOTALL)
    shown = " ".join(re.findall(SHOWN_ATTRIBUTES, html))
    text = re.sub(r"&\w+;", " ", re.sub(r"<[^>]*>", " ", html))
    return [word for word in WORD.findall(f"{shown} {text}") if word not in NAMES]


def test_every_word_of_the_templates_can_be_translated():
    found = {
        str(path): words
        for path in tracked()
        if path.suffix == ".html" and path.parts[0] in (*APPS, "controlplane")
        if (words := untranslated(text_of(path)))
    }

    assert found == {}


def test_untranslated_words_are_found():
    """The check above is a chain of patterns; this shows that it finds something."""
    html = (
        '<p title="Close it">{% trans "Fine" %}{# not shown #} Left &nbsp; <b>over</b>{{ x }}</p>'
    )

    assert untranslated(html) == ["Close", "it", "Left", "over"]
