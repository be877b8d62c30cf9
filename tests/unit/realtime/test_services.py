from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, User

from realtime import services
from streams.core import templates

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


def test_the_roots_of_market_data_are_those_of_the_templates():
    older = templates.scheme("push")

    assert services.can_subscribe(READER, "trade.>", older)
    assert not services.can_subscribe(READER, "market.>", older)
    assert not services.can_subscribe(READER, "trade.>")


@pytest.mark.django_db(transaction=True)
async def test_an_event_loop_has_one_hub_which_learns_the_templates(settings):
    hub = await services.hub()
    before = hub.templates
    again = await services.hub()
    assert again is hub
    assert hub.templates is before

    settings.SUBJECT_SCHEME = "push"
    await services.hub()
    assert "trade" in hub.templates.roots
