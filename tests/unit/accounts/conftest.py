from __future__ import annotations

import itertools
import uuid

import pytest


@pytest.fixture(autouse=True)
def no_rules_of_another_test():
    """The process remembers rules for some seconds; a test's rules end with it."""
    from accounts.services import rules  # noqa: PLC0415  Django comes first

    rules.forget()


@pytest.fixture(autouse=True)
def the_same_turns_in_each_run(monkeypatch):
    """An account's turns follow from its id: a random one made a test in thirty runs fail."""
    from accounts.models import Account  # noqa: PLC0415  Django comes first

    numbers = itertools.count(1 << 64)
    field = Account._meta.get_field("uuid")
    monkeypatch.setattr(field, "_get_default", lambda: uuid.UUID(int=next(numbers)), raising=False)
