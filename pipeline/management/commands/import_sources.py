"""Take sources and subject templates from a YAML file: `manage.py import_sources FILE`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from pipeline.services import files
from streams.core.errors import BadDefinition
from streams.management.commands.import_broker import text_of


class Command(BaseCommand):
    help = "Take data sources and subject templates from a YAML file; sources it lacks stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="- for standard input")
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = files.import_file(
                text=text_of(options["file"]), actor="import_sources", dry_run=options["dry_run"]
            )
        except BadDefinition as e:
            raise CommandError(str(e), returncode=2) from e
        for item in report.items:
            self.stdout.write(str(item))
        for note in report.notes:
            self.stderr.write(self.style.WARNING(note))
        if report.dry_run:
            self.stdout.write(_("Nothing was changed."))
