"""The door of this app: who may listen, and the hub that serves them."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from realtime.core import topics
from realtime.hub import Hub

_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def can_subscribe(user: AbstractBaseUser | AnonymousUser, topic: str) -> bool:
    """Return whether this user may listen to this topic, over whatever channel."""
    return topics.may_subscribe(
        is_authenticated=user.is_authenticated and user.is_active,
        is_staff=bool(getattr(user, "is_staff", False)),
        topic=topic,
    )


def hub() -> Hub:
    """Return the hub of the running event loop; it connects when somebody joins it."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub(settings.NATS_URL)
    return _hubs[loop]
