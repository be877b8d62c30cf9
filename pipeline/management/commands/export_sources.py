"""Write sources and subject templates as YAML, without secrets: `manage.py export_sources`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from pipeline.services import files
from streams.core.errors import BadDefinition


class Command(BaseCommand):
    help = "Write the data sources and the subject templates as YAML, without secrets."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            text = files.export_file()
        except BadDefinition as e:
            raise CommandError(str(e), returncode=2) from e
        self.stdout.write(text, ending="")
