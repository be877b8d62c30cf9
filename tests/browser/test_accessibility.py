from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import barriers

pytestmark = pytest.mark.browser

ADMIN = (
    "",
    "accounts/account/",
    "accounts/account/add/",
    "accounts/account/1/change/",
    "accounts/account/1/delete/",
    "accounts/account/1/history/",
    "accounts/account/?q=nobody",
    "pipeline/datasource/",
    "pipeline/datasource/add/",
    "pipeline/datasource/1/change/",
    "streams/stream/",
    "streams/stream/add/",
    "streams/stream/1/change/",
    "auth/user/",
    "auth/user/add/",
    "auth/user/1/change/",
    "auth/group/add/",
    "password_change/",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sign_in_page_has_no_barriers(page, tickplane, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{tickplane.url}/sign-in/")

    assert barriers(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_the_dashboard_has_no_barriers(operator_page, width, scheme):
    # Axe would judge a flash by the colour of one frame.
    operator_page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    operator_page.set_viewport_size({"width": width, "height": 900})
    operator_page.goto("/")
    expect(operator_page.locator("#pill")).to_have_text("Live")
    expect(operator_page.locator("#accounts tbody tr").first).to_be_visible()
    expect(operator_page.locator("#prices tr.chosen")).to_have_count(1)

    assert barriers(operator_page) == []


def test_a_link_that_has_ended_leads_to_the_sign_in_page(chromium, tickplane):
    # Not `page`: a browser writes every 403 to the console.
    ended = chromium.new_page(locale="en-GB")

    answer = ended.goto(f"{tickplane.url}/sign-in/once/ended/")

    assert answer.status == 403
    assert barriers(ended) == []
    ended.get_by_role("link", name="Sign in with a password").click()
    expect(ended.get_by_role("heading", name="Sign in")).to_be_visible()
    ended.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_admin_has_no_barriers_and_keeps_to_the_policy(operator_page, scheme):
    # The page fails the test for what the policy refuses: the browser writes it to the console.
    operator_page.emulate_media(color_scheme=scheme)
    found = {}
    for path in ADMIN:
        answer = operator_page.goto(f"/admin/{path}")
        assert answer.status == 200, path
        if broken := barriers(operator_page):
            found[path] = broken

    assert found == {}
