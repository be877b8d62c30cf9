from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_rules_of_another_test():
    """The process remembers rules for some seconds; a test's rules end with it."""
    from accounts.services import rules  # noqa: PLC0415  Django comes first

    rules.forget()
