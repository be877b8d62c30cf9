"""What axe finds wrong on a page. It comes from npm at set-up, for the tests only."""

from __future__ import annotations

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
