"""What keeps people from using a page: what axe finds (from npm, for tests only), and width."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.missing import missing

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"

# Without `preload` it asks for no style sheet of its own, which the page's policy would refuse.
RUN = "() => axe.run(document, { resultTypes: ['violations'], preload: false })"


def barriers(page: Page) -> list[str]:
    """Return what is serious or worse: the rule, and the first element that breaks it."""
    if not AXE.is_file():
        missing("axe-core", "not in node_modules; the set-up's `npm ci` puts it there")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate(RUN)
    return [
        f"{rule['id']}: {rule['nodes'][0]['target']}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
    ]


def barriers_of(page: Page, addresses: Iterable[str]) -> dict[str, list[str]]:
    """Open each page; return, by address, the barriers of those that have any."""
    found: dict[str, list[str]] = {}
    for address in addresses:
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        if broken := barriers(page):
            found[address] = broken
    return found


def wider_than(page: Page, addresses: Iterable[str], width: int) -> list[str]:
    """Open each page on a screen of this width; return those that do not fit."""
    page.set_viewport_size({"width": width, "height": 900})
    wide = []
    for address in addresses:
        page.goto(address)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(address)
    return wide
