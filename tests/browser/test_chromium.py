from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser


def test_the_browser_runs_scripts(page):
    page.set_content("<p id=x></p><script>x.textContent = 6 * 7</script>")

    assert page.locator("#x").text_content() == "42"
