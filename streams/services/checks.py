"""What `manage.py check`, and with it each command that checks, refuses to start with."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from streams.broker.installation import REMEDY, refuse_intruder
from streams.core.errors import WrongClient


# Among the checks of models: commands that ask for few ask for these.
@register(Tags.models)
def client_is_whole(**_: Any) -> list[CheckMessage]:
    try:
        refuse_intruder()
    except WrongClient as e:
        return [Error(str(e), hint=REMEDY, id="streams.E001")]
    return []
