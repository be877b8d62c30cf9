"""The operator's pages of NATS, as an operator uses them."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import barriers, barriers_of, wider_than

pytestmark = pytest.mark.browser

STREAMS = "/admin/streams/stream/"
NAME = "BROWSER_ORDERS"
PAGES = (
    "stream/", "stream/add/", "stream/1/change/", "stream/1/delete/", "stream/1/messages/",
    "stream/1/publish/", "stream/1/purge/", "stream/1/remove/", "stream/plan/", "stream/import/",
    "streamconsumer/", "streamconsumer/add/", "cluster/", "cluster/1/change/", "cluster/import/",
    "node/", "node/1/change/", "node/1/configuration/", "brokeruser/", "brokeruser/add/",
    "tlsfiles/", "tlsfiles/add/", "subjecttemplate/", "advisory/", "backup/", "brokeract/",
)  # fmt: skip
ADDRESSES = [f"/admin/streams/{path}" for path in PAGES]

FORGET = f"""
from streams import services
from streams.core.errors import ApiRefused
from streams.models import Backup, BrokerUser, Stream
from streams.services import backups
try:
    services.link().api("STREAM.DELETE.{NAME}")
except ApiRefused:
    pass
for backup in Backup.objects.filter(stream="{NAME}"):
    backups.remove(backup=backup, actor="tests")
Stream.objects.filter(name="{NAME}").delete()
BrokerUser.objects.filter(name="browser").delete()
services.link().close()
"""


@pytest.fixture(scope="module", autouse=True)
def nothing_stays(tickplane):
    """Other tests, on the same system, know the default streams only."""
    yield
    values = tickplane.running_values()
    subprocess.run(
        [sys.executable, "manage.py", "shell", "--verbosity=0", "-c", FORGET],
        cwd=tickplane.cwd,
        env=tickplane.environment() | {"NATS_URL": values["NATS_URL"]},
        check=True,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_barriers(operator_page, scheme):
    operator_page.emulate_media(color_scheme=scheme)

    assert barriers_of(operator_page, ADDRESSES) == {}


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_nothing_is_wider_than_its_screen(operator_page, width):
    assert wider_than(operator_page, ADDRESSES, width) == []


def field(page, label):
    return page.get_by_role("textbox", name=re.compile(f"^{label}:?$"))


def test_a_stream_from_its_declaration_to_its_purge(operator_page):
    address = declare(operator_page)
    change(operator_page, address)
    publish(operator_page, address)
    purge(operator_page, address)

    operator_page.goto(address)
    trail = operator_page.get_by_role("group", name="Audit trail")
    for act in ("create", "edit", "update", "publish", "backup", "purge"):
        expect(trail.get_by_role("cell", name=act, exact=True).first).to_be_visible()


def declare(page):
    """Declare the stream and apply the plan; return the address of its page."""
    page.goto(f"{STREAMS}add/")
    field(page, "Name").fill(NAME)
    field(page, "Subjects").fill("browser.orders.>")
    field(page, "Max age").fill("1h")
    field(page, "Max bytes").fill("10MB")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Look at the plan").click()
    # Tickplane makes missing streams by itself too, so the plan may have nothing left to do.
    apply = page.get_by_role("button", name="Apply 1 change")
    expect(apply.or_(page.get_by_text("there is nothing to apply"))).to_be_visible()
    assert barriers(page) == []
    if apply.count():
        apply.click()
    expect(page.get_by_text("there is nothing to apply")).to_be_visible()
    page.goto(f"{STREAMS}?q={NAME}")
    page.get_by_role("link", name=NAME).click()
    expect(page.get_by_role("button", name="Back up now")).to_be_visible()
    return page.url


def change(page, address):
    page.goto(address)
    field(page, "Max age").fill("2h")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Look at the plan").click()
    line = page.get_by_role("row").filter(has_text="max_age")
    expect(line.locator("del")).to_have_text("1h")
    expect(line.locator("ins")).to_have_text("2h")
    assert barriers(page) == []
    page.get_by_role("button", name="Apply 1 change").click()
    expect(page.get_by_text("1 change applied.")).to_be_visible()


def publish(page, address):
    page.goto(address)
    page.get_by_role("link", name="Publish a test message").click()
    field(page, "Subject").fill("browser.orders.new")
    field(page, "Message").fill('{"symbol": "EURUSD", "lots": [1, 2]}')
    page.get_by_role("button", name="Publish").click()
    message = page.get_by_role("article")
    expect(message).to_have_count(1)
    expect(message).to_contain_text("browser.orders.new")
    expect(message).to_contain_text('"lots": [1, 2]')
    assert barriers(page) == []


def purge(page, address):
    page.goto(address)
    page.get_by_role("button", name="Back up now").click()
    expect(page.get_by_text("Backed up: 1 messages")).to_be_visible()
    page.get_by_role("link", name="Purge").click()
    expect(page.locator("#preview")).to_contain_text("1 message would be removed")
    field(page, "Type the name to confirm").fill(NAME.lower())
    page.get_by_role("button", name="Purge").click()
    expect(page.get_by_text("This is not its name.")).to_be_visible()
    assert barriers(page) == []
    field(page, "Type the name to confirm").fill(NAME)
    page.get_by_role("button", name="Purge").click()
    expect(page.get_by_text("1 message removed.")).to_be_visible()
    expect(page.get_by_text(re.compile("is in the backup"))).to_be_visible()
    page.get_by_role("link", name="Messages", exact=True).click()
    expect(page.get_by_text("No message here.")).to_be_visible()


def test_a_users_password_is_shown_once(operator_page):
    page = operator_page
    page.goto("/admin/streams/brokeruser/add/")
    page.locator("select[name=cluster]").select_option("tickplane")
    field(page, "Name").fill("browser")
    page.locator("select[name=role]").select_option("producer")
    field(page, "Subjects").fill("browser.>")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("none: cannot log in")).to_be_visible()

    page.get_by_role("link", name="Set the password").click()
    page.get_by_role("button", name="Set the password").click()
    secret = page.locator("#secret").text_content()
    assert len(secret) >= 24
    assert barriers(page) == []
    page.get_by_role("link", name="I have copied it").click()

    may = page.get_by_role("group", name="What the server lets this user do")
    expect(may).to_contain_text("browser.>")
    assert secret not in page.content()
