"""
A real Chromium, driven with Playwright's synchronous interface.

It runs an event loop of its own for as long as it lives, so it lives for this folder only, and no
test in this folder is a coroutine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, StorageState, sync_playwright

from tests.missing import missing
from tests.servers.browser import launch
from tests.servers.process import ServerMissing
from tests.servers.standalone import Tickplane


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            browser = launch(playwright)
        except ServerMissing as e:
            missing("Chromium", str(e))
        try:
            yield browser
        finally:
            browser.close()


def watched_page(chromium: Browser, **options: Any) -> Iterator[Page]:
    """
    Yield a page in a browser profile of its own.

    Fails the test when a script of the page threw, or wrote an error to the console.
    """
    context = chromium.new_context(
        locale="en-GB", viewport={"width": 1280, "height": 800}, **options
    )
    context.set_default_timeout(15_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    try:
        yield page
    finally:
        context.close()
    assert errors == []


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of nobody in particular. See `watched_page`."""
    yield from watched_page(chromium)


@pytest.fixture(scope="package")
def signed_in(chromium: Browser, tickplane: Tickplane) -> StorageState:
    """The cookies of the administrator, signed in with a one-use link."""
    context = chromium.new_context()
    context.new_page().goto(tickplane.sign_in_url())
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def operator_page(
    chromium: Browser, tickplane: Tickplane, signed_in: StorageState
) -> Iterator[Page]:
    """Like `page`, signed in as the administrator; relative addresses are the product's."""
    yield from watched_page(chromium, base_url=tickplane.url, storage_state=signed_in)
