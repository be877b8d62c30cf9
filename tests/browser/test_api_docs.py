from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_the_api_is_shown_and_tried_under_our_own_policy(operator_page):
    """The page fixture fails on what the policy refuses: the browser calls that an error."""
    asked: list[str] = []
    operator_page.on("request", lambda request: asked.append(request.url))

    operator_page.goto("/api/v1/docs")
    call = operator_page.locator("#operations-accounts-accounts_list")
    call.get_by_role("button").first.click()
    expect(call.get_by_text("Scope of an API token")).to_be_visible()
    call.get_by_role("button", name="Try it out").click()
    call.get_by_role("button", name="Execute").click()
    expect(call.locator(".live-responses-table td.response-col_status").last).to_have_text("200")

    own = operator_page.url.split("/api/")[0]
    assert [url for url in asked if not url.startswith((own, "data:", "blob:"))] == []
