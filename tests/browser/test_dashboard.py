from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

MOVES_MS = 20_000
DEMO_ACCOUNTS = 20

CANDLES = """
() => [...document.querySelectorAll("#chart canvas")].some((canvas) => {
  if (!canvas.width || !canvas.height) return false;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  // The colours of a candle are the only saturated ones on the canvas.
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] > 200 && Math.abs(data[i] - data[i + 1]) > 60) return true;
  }
  return false;
})
"""


def text_changes(page, locator):
    before = locator.text_content()
    expect(locator).not_to_have_text(before, timeout=MOVES_MS)


def accounts_move(page):
    # Of all twenty together: one without positions rightly stands still, for a minute at times.
    equities = page.locator("#accounts tbody [data-column=equity] bdi")
    expect(equities).to_have_count(DEMO_ACCOUNTS)
    before = equities.all_text_contents()
    expect(equities).not_to_have_text(before, timeout=MOVES_MS)
    expect(equities).to_have_count(DEMO_ACCOUNTS)


@pytest.fixture
def dashboard(operator_page):
    operator_page.goto("/")
    expect(operator_page.locator("#pill")).to_have_text("Live")
    return operator_page


def test_who_is_not_signed_in_meets_the_sign_in_page(page, tickplane):
    page.goto(f"{tickplane.url}/")

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()


def test_accounts_appear_and_move(dashboard):
    first = dashboard.locator("#accounts tbody tr").first

    expect(first.locator("[data-column=balance]")).to_have_text(re.compile(r"[\d,]+\.\d\d"))
    expect(first.locator("[data-column=age]")).to_have_text(re.compile(r"^\d s$"))
    accounts_move(dashboard)
    expect(dashboard.locator("#live")).not_to_have_text(re.compile(r"^\D*0?\D*$"))


def test_prices_appear_and_move_and_the_chart_shows_candles(dashboard):
    chosen = dashboard.locator("#prices tr.chosen")

    expect(chosen).to_have_count(1)
    text_changes(dashboard, chosen.locator("[data-column=bid] bdi"))
    expect(dashboard.locator("#charted")).to_have_text(
        chosen.locator("button").text_content() or "nothing is chosen"
    )
    dashboard.wait_for_function(CANDLES, timeout=MOVES_MS)
    expect(dashboard.locator(".credit")).to_have_attribute("href", "https://www.tradingview.com/")


def test_another_instrument_is_charted_when_it_is_chosen(dashboard):
    other = dashboard.locator("#prices tbody tr:not(.chosen) button").first
    expect(dashboard.locator("#prices tr.chosen")).to_have_count(1)
    name = other.text_content()

    other.focus()
    dashboard.keyboard.press("Enter")

    expect(dashboard.locator("#charted")).to_have_text(name)
    expect(dashboard.get_by_role("button", name=name, pressed=True)).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 768, 999, 1000, 1440])
def test_nothing_is_wider_than_its_screen(dashboard, width):
    dashboard.set_viewport_size({"width": width, "height": 844})
    expect(dashboard.locator("#accounts tbody tr").first).to_be_visible()
    expect(dashboard.locator("#prices tbody tr").first).to_be_visible()

    assert dashboard.evaluate("document.documentElement.scrollWidth") <= width


def test_made_up_data_is_marked(dashboard):
    accounts = dashboard.get_by_role("region", name="Accounts", exact=False)

    expect(accounts.get_by_text("20 simulated")).to_be_visible()
    expect(dashboard.get_by_text("Demo: made-up prices")).to_be_visible()


def test_right_to_left_mirrors_the_page_and_leaves_numbers_alone(dashboard):
    dashboard.evaluate("document.documentElement.dir = 'rtl'")
    row = dashboard.locator("#accounts tbody tr").first
    profit = row.locator("[data-column=profit] bdi")

    first, last = row.locator("[data-column=server]"), row.locator("[data-column=age]")
    assert first.bounding_box()["x"] > last.bounding_box()["x"]
    expect(profit).to_have_text(re.compile(r"^[+\u2212]?[\d,]+\.\d\d$"))
    assert profit.evaluate("bdi => getComputedStyle(bdi).direction") == "ltr"


def test_the_keyboard_reaches_everything_and_shows_where_it_is(dashboard):
    expect(dashboard.locator("#prices tbody tr").first).to_be_visible()
    dashboard.evaluate("document.activeElement.blur()")
    reached = set()
    while True:
        dashboard.keyboard.press("Tab")
        seen = dashboard.evaluate("""() => {
          const on = document.activeElement;
          if (on === document.body) return null; // Past the end.
          const ring = getComputedStyle(on.closest("label") ?? on).outlineStyle;
          const field = getComputedStyle(on).outlineStyle;
          return { name: on.textContent.trim() || on.id || on.name, ring, field };
        }""")
        if seen is None or seen["name"] in reached:
            break
        reached.add(seen["name"])
        assert {seen["ring"], seen["field"]} != {"none"}, seen

    assert {"Admin", "Symbol", "filter", "Balance", "candle"} <= reached


def test_the_filter_hides_and_says_what_it_hides(dashboard):
    rows = dashboard.locator("#accounts tbody tr:visible")
    expect(rows.first).to_be_visible()
    everything = rows.count()
    one = rows.first.get_attribute("data-key")  # Its server and login.

    dashboard.get_by_label("Filter accounts").fill(one)
    expect(rows).to_have_count(1)
    dashboard.get_by_label("Filter accounts").fill("no such account")
    expect(dashboard.locator("#accounts-hidden")).to_have_text(f"The filter hides {everything}.")
    dashboard.get_by_role("button", name="Clear the filter").click()

    expect(rows).to_have_count(everything)


def test_a_column_sorts_both_ways(dashboard):
    expect(dashboard.locator("#accounts tbody tr").nth(1)).to_be_visible()
    login = dashboard.locator("#accounts th[data-column=login]")

    def logins():
        # A column that does not move while it is read.
        cells = dashboard.locator("#accounts tbody [data-column=login]").all_text_contents()
        return [int(cell.partition("Demo")[0]) for cell in cells]

    login.get_by_role("button").click()
    expect(login).to_have_attribute("aria-sort", "ascending")
    rising = logins()
    login.get_by_role("button").click()
    expect(login).to_have_attribute("aria-sort", "descending")
    falling = logins()

    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    assert rising[0] < falling[0]


@pytest.fixture
def links(operator_page):
    """The page's live links, in the order in which it opened them; a test may interfere."""
    opened = []

    def opens(link):
        link.connect_to_server()
        opened.append(link)

    operator_page.route_web_socket("**/ws/", opens)
    return opened


def test_a_lost_link_is_said_and_comes_back_by_itself(links, dashboard):
    seen = dashboard.evaluate_handle("""() => {
      const seen = new Set();
      const pill = document.getElementById("pill");
      new MutationObserver(() => seen.add(pill.dataset.state)).observe(pill, { attributes: true });
      return seen;
    }""")

    links[0].close(code=1012, reason="restart")

    expect(dashboard.locator("#pill")).not_to_have_text("Live", timeout=MOVES_MS)
    expect(dashboard.locator("#pill")).to_have_text("Live", timeout=MOVES_MS)
    assert len(links) > 1
    assert "reconnecting" in seen.evaluate("seen => [...seen]")
    accounts_move(dashboard)


def test_what_no_longer_flows_is_said_and_looks_it(links, dashboard):
    balance = dashboard.locator("#accounts tbody [data-column=balance]").first
    alive = balance.evaluate("cell => getComputedStyle(cell).color")

    links[0].send('{"type":"link","state":"down"}')

    expect(dashboard.locator("#pill")).to_contain_text("Stale: the server lost its data link")
    assert balance.evaluate("cell => getComputedStyle(cell).color") != alive
    links[0].send('{"type":"link","state":"up"}')
    expect(dashboard.locator("#pill")).to_have_text("Live")
    assert balance.evaluate("cell => getComputedStyle(cell).color") == alive


def test_who_was_signed_out_elsewhere_is_led_to_the_sign_in_page(links, dashboard):
    links[0].close(code=4401, reason="sign in first")

    expect(dashboard.locator("#pill")).to_have_text("Signed out")
    dashboard.get_by_role("link", name="Sign in again").click()
    expect(dashboard).to_have_url(re.compile("/$|/sign-in/"))


def test_without_the_library_of_the_chart_the_tables_still_live(operator_page):
    operator_page.route(
        "**/vendor/*.mjs",
        lambda route: route.fulfill(content_type="text/javascript", body="throw 1"),
    )
    operator_page.goto("/")

    expect(operator_page.locator("#chart-missing")).to_be_visible()
    expect(operator_page.locator("#pill")).to_have_text("Live")
    accounts_move(operator_page)
