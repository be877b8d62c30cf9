from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, register
from django.utils.translation import gettext_lazy as _

from streams.broker.installation import REMEDY, refuse_intruder
from streams.core.errors import WrongClient


class StreamsConfig(AppConfig):
    name = "streams"
    verbose_name = _("Streams")

    def ready(self) -> None:
        # Among the checks of models: commands that ask for few ask for these.
        register(client_is_whole, Tags.models)


def client_is_whole(**_: Any) -> list[CheckMessage]:
    """Refuse, as `manage.py check` does, to start with a NATS client that was overwritten."""
    try:
        refuse_intruder()
    except WrongClient as e:
        return [Error(str(e), hint=REMEDY, id="streams.E001")]
    return []
