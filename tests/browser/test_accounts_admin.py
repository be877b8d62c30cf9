"""The operator's pages of accounts, as an operator uses them."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import barriers, barriers_of, wider_than

pytestmark = pytest.mark.browser

ACCOUNTS = "/admin/accounts/account/"
PAGES = (
    "account/", "account/1/change/", "account/1/delete/", "account/1/token/", "account/add/",
    "account/import/", "accountgroup/", "accountgroup/add/", "tag/", "rule/", "rule/add/",
    "accounttoken/", "accountevent/", "deadletter/", "outletstatus/", "shardlease/", "auditentry/",
)  # fmt: skip
ADDRESSES = [f"/admin/accounts/{path}" for path in PAGES]
DEMO_ACCOUNTS = 20


FORGET = """
from accounts.models import Account
Account.objects.filter(is_demo=False).delete()
"""


@pytest.fixture(scope="module", autouse=True)
def nothing_stays(tickplane):
    """The dashboard's tests, on the same system, know the demo's accounts only."""
    yield
    subprocess.run(
        [sys.executable, "manage.py", "shell", "--verbosity=0", "-c", FORGET],
        cwd=tickplane.cwd,
        env=tickplane.environment(),
        check=True,
    )


def offer(page, text):
    """Choose a file of this text on the import's page, and try it."""
    page.goto(f"{ACCOUNTS}import/")
    file = {"name": "accounts.csv", "mimeType": "text/csv", "buffer": text.encode()}
    page.get_by_label("CSV file").set_input_files(files=[file])
    page.get_by_role("button", name="Try it").click()


def choose(page, action, *logins):
    page.goto(f"{ACCOUNTS}?server=Browser-{action}")
    for login in logins:
        page.get_by_role("row").filter(has_text=str(login)).get_by_role("checkbox").check()
    page.locator("select[name=action]").select_option(action)
    page.get_by_role("button", name="Go").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_barriers(operator_page, scheme):
    operator_page.emulate_media(color_scheme=scheme)

    assert barriers_of(operator_page, ADDRESSES) == {}


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_nothing_is_wider_than_its_screen(operator_page, width):
    assert wider_than(operator_page, ADDRESSES, width) == []


def test_the_list_shows_that_the_demo_lives(operator_page):
    operator_page.goto(ACCOUNTS)
    rows = operator_page.locator("#result_list tbody tr").filter(has_text="Tickplane-Demo")

    expect(rows).to_have_count(DEMO_ACCOUNTS)
    expect(rows.first).to_contain_text("Deployed")
    expect(rows.first).to_contain_text(re.compile(r"[\d,]+\.\d\d USD"))
    expect(rows.first).to_contain_text("s ago")


def test_the_page_of_an_account_shows_its_state(operator_page):
    operator_page.goto(f"{ACCOUNTS}1/change/")

    expect(operator_page.get_by_role("heading", name="Last state")).to_be_visible()
    expect(operator_page.get_by_text("Free margin")).to_be_visible()
    expect(operator_page.get_by_text(re.compile(r"epoch \d+, message \d+"))).to_be_visible()
    expect(operator_page.get_by_role("button", name="Undeploy")).to_be_visible()
    expect(operator_page.get_by_role("button", name="Deploy", exact=True)).to_have_count(0)


def test_a_file_is_tried_and_then_imported(operator_page):
    offer(operator_page, "server;login;label;password\nBrowser-Import;1;One;hunter2\n")

    expect(operator_page.get_by_text("nothing is written yet")).to_be_visible()
    expect(operator_page.get_by_role("row").filter(has_text="Browser-Import/1")).to_contain_text(
        "created"
    )
    assert "hunter2" not in operator_page.content()
    operator_page.get_by_role("button", name="Import").click()
    expect(operator_page.get_by_text("1 created, 0 updated, 0 unchanged.")).to_be_visible()

    operator_page.goto(f"{ACCOUNTS}?server=Browser-Import")
    operator_page.get_by_role("link", name="Browser-Import/1").click()
    expect(operator_page.locator(".field-kept_password")).to_have_text(re.compile(r"\bkept"))
    assert "hunter2" not in operator_page.content()
    expect(operator_page.get_by_label("New password")).to_have_value("")


def test_what_is_wrong_with_a_file_is_shown_by_line(operator_page):
    offer(operator_page, "server,login,leverage\nBrowser,1,none\n")

    expect(operator_page.get_by_text("Nothing was written: 1 error.")).to_be_visible()
    wrong = operator_page.get_by_role("group", name="Errors").get_by_role("row").nth(1)
    expect(wrong.get_by_role("cell")).to_have_text(
        ["2", "leverage", "not a whole number from 1 to 2147483647"]
    )
    assert barriers(operator_page) == []


def test_an_account_is_deployed_and_undeployed_by_its_buttons(operator_page):
    offer(operator_page, "server,login\nBrowser-Deploy,1\n")
    operator_page.get_by_role("button", name="Import").click()
    operator_page.goto(f"{ACCOUNTS}?server=Browser-Deploy")
    operator_page.get_by_role("link", name="Browser-Deploy/1").click()

    operator_page.get_by_role("button", name="Deploy", exact=True).click()
    expect(operator_page.get_by_text("1 account is being deployed.")).to_be_visible()
    operator_page.get_by_role("button", name="Undeploy").click()
    expect(operator_page.get_by_text("1 account is being undeployed.")).to_be_visible()

    trail = operator_page.get_by_role("group", name="Audit trail")
    expect(trail.get_by_role("row").filter(has_text="undeploy")).to_contain_text("UNDEPLOYING")


def test_accounts_are_put_into_a_group(operator_page):
    offer(operator_page, "server,login,group\nBrowser-set_group,1,Pilots\nBrowser-set_group,2,\n")
    operator_page.get_by_role("button", name="Import").click()

    choose(operator_page, "set_group", "set_group/2")
    expect(operator_page.get_by_text("For 1 account.")).to_be_visible()
    operator_page.get_by_label("Group").select_option("Pilots")
    operator_page.get_by_role("button", name="Apply").click()

    expect(operator_page.get_by_text("1 account changed.")).to_be_visible()
    members = operator_page.locator("#result_list .field-group")
    expect(members).to_have_text(["Pilots", "Pilots"])


def test_a_token_is_shown_once(operator_page):
    operator_page.goto(f"{ACCOUNTS}2/change/")
    operator_page.get_by_role("link", name="New token").click()
    operator_page.get_by_label("Name").fill("EA of the browser")
    operator_page.get_by_role("button", name="Make the token").click()

    secret = operator_page.locator("#secret").text_content()
    assert re.fullmatch(r"tpa_[\w-]{43}", secret)
    assert barriers(operator_page) == []
    operator_page.get_by_role("link", name="I have copied it").click()
    tokens = operator_page.get_by_role("group", name="Tokens")
    row = tokens.get_by_role("row").filter(has_text="EA of the browser")
    expect(row).to_contain_text(secret[:12])
    assert secret not in operator_page.content()

    row.get_by_role("button", name="Revoke").click()
    expect(operator_page.get_by_text("1 token revoked.")).to_be_visible()
    expect(row).to_contain_text("revoked")
