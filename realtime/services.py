"""The door of this app: who may listen, and the hub that serves them."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from realtime.core import topics
from realtime.hub import Hub
from streams.core.templates import STANDARD, Templates
from streams.services.templates import active_or_standard

_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def can_subscribe(
    user: AbstractBaseUser | AnonymousUser, topic: str, templates: Templates = STANDARD
) -> bool:
    """Return whether this user may listen to this topic, over whatever channel."""
    return topics.may_subscribe(
        is_authenticated=user.is_authenticated and user.is_active,
        is_staff=bool(getattr(user, "is_staff", False)),
        topic=topic,
        templates=templates,
    )


async def hub() -> Hub:
    """
    Return the hub of the running event loop; it connects when somebody joins it.

    It learns the subject templates of this moment, so that a page that is loaded anew finds the
    data where they have gone.
    """
    templates = await database_sync_to_async(active_or_standard)()
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub(settings.NATS_URL)
    found = _hubs[loop]
    # Those that are the same keep what they remember.
    if found.templates.texts != templates.texts:
        found.templates = templates
    return found


def market_topics() -> dict[str, str]:
    """Return the topic of each type of market data."""
    return active_or_standard().patterns
