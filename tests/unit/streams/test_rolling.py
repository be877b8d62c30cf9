from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streams.models import Node
from streams.services import rolling

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_node_that_was_disabled_since_is_passed_over(monkeypatch):
    roll = rolling.begin(cluster="", actor="boss", now=NOW)
    Node.objects.update(enabled=False)
    # A cluster that is whole without it.
    monkeypatch.setattr(roll, "_seen", lambda: ([], []))

    assert roll.look(now=NOW).is_done
    assert Node.objects.get().restart_wanted == 0
