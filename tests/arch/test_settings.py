from __future__ import annotations

import ast

import pytest
from django.core.management import call_command

from tests.arch.sources import ROOT, called, tree

READERS = {
    f"env.{kind}"
    for kind in ("text", "words", "flag", "whole", "choice", "url", "database", "secret", "keys")
}


def asked() -> set[str]:
    """Return the name of every environment variable that the settings read."""
    return {
        str(node.args[0].value)
        for node in ast.walk(tree(ROOT / "controlplane" / "settings.py"))
        if called(node) in READERS
        and isinstance(node, ast.Call)
        and isinstance(node.args[0], ast.Constant)
    }


def test_every_setting_is_in_the_operators_guide():
    guide = (ROOT / "docs" / "operator-guide.md").read_text(encoding="utf-8")

    assert len(asked()) > 10
    assert sorted(name for name in asked() if f"`{name}`" not in guide) == []


@pytest.mark.django_db
def test_every_migration_is_made():
    call_command("makemigrations", check=True, dry_run=True, verbosity=3)
