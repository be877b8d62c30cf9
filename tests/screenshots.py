"""
Makes the pictures of the documentation: `make screenshots`.

Starts the product in an empty data directory and waits until its page has something to show.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

from tests.servers.browser import launch
from tests.servers.process import ServerFailed, ServerMissing
from tests.servers.standalone import ROOT, Tickplane

FOLDER = ROOT / "docs" / "screenshots"
SIZE: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
SETTLE_MS = 1000
# Candles of one second: the chart needs this long to look like one.
CANDLES_S = 45


def dashboard(page: Page, url: str) -> None:
    page.goto(url)
    page.locator("#pill[data-state=live]").wait_for()
    page.locator("#accounts tbody tr").first.wait_for()
    page.locator("#prices tbody tr").first.wait_for()
    page.wait_for_timeout(CANDLES_S * 1000)
    take(page, "dashboard")
    page.emulate_media(color_scheme="dark")
    take(page, "dashboard-dark")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)
    take(page, "dashboard-mobile")


def accounts(page: Page, address: str) -> None:
    page.set_viewport_size(SIZE)
    page.goto(f"{address}/admin/accounts/account/")
    page.locator("#result_list tbody tr").first.wait_for()
    page.screenshot(path=FOLDER / "accounts.png")
    page.locator("#result_list tbody th a").first.click()
    page.locator("section.facts").wait_for()
    page.screenshot(path=FOLDER / "account.png")


def source(page: Page, address: str) -> None:
    page.goto(f"{address}/admin/pipeline/datasource/")
    page.get_by_role("link", name="okx-demo").click()
    page.locator(".field-types_seen dd").first.wait_for()
    page.screenshot(path=FOLDER / "source.png")


def take(page: Page, name: str) -> None:
    # The chart follows a new size or new colours in its own time.
    page.wait_for_timeout(SETTLE_MS)
    page.locator("#pill[data-state=live]").wait_for()
    page.screenshot(path=FOLDER / f"{name}.png")


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        tickplane = Tickplane(Path(folder))
        try:
            browser = launch(playwright)
            tickplane.start()
            page = browser.new_page(locale="en-GB", viewport=SIZE, color_scheme="light")
            dashboard(page, tickplane.sign_in_url())
            accounts(page, tickplane.url)
            source(page, tickplane.url)
        except (ServerMissing, ServerFailed) as e:
            sys.stderr.write(f"screenshots: {e}\n")
            return 1
        finally:
            tickplane.stop()
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
