from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, User

from realtime import services

READER = User(username="reader")
STAFF = User(username="operator", is_staff=True)
DISMISSED = User(username="former", is_staff=True, is_active=False)


@pytest.mark.parametrize(
    ("user", "market", "service"),
    [
        (AnonymousUser(), False, False),
        (READER, True, False),
        (STAFF, True, True),
        (DISMISSED, False, False),
    ],
    ids=str,
)
def test_one_function_says_who_may_listen(user, market, service):
    assert services.can_subscribe(user, "market.>") is market
    assert services.can_subscribe(user, "service.>") is service


async def test_an_event_loop_has_one_hub():
    assert services.hub() is services.hub()
