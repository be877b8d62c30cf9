from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StreamsConfig(AppConfig):
    name = "streams"
    verbose_name = _("Streams")

    def ready(self) -> None:
        from streams.services import checks  # noqa: F401, PLC0415 - registers them
