"""Take the broker's settings from a YAML file: `manage.py import_broker FILE`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from streams.core.errors import BadDefinition
from streams.services import brokerfiles, servers


class Command(BaseCommand):
    help = "Take clusters, users and streams from a YAML file; what it does not say stays."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="- for standard input")
        parser.add_argument("--cluster", default=servers.OWN_NODE, help="default: %(default)s")
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = brokerfiles.import_file(
                text=text_of(options["file"]),
                actor="import_broker",
                cluster=options["cluster"],
                dry_run=options["dry_run"],
            )
        except BadDefinition as e:
            raise CommandError(str(e), returncode=2) from e
        for item in report.items:
            self.stdout.write(str(item))
        for name in report.without_password:
            self.stdout.write(_("user %s has no password and cannot log in") % name)
        if report.dry_run:
            self.stdout.write(_("Nothing was changed."))


def text_of(name: str) -> str:
    """
    Raises:
        CommandError: It cannot be read.
    """
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except OSError as e:
        raise CommandError(f"{name}: {e.strerror}", returncode=2) from e
    except UnicodeDecodeError as e:
        raise CommandError(_("%s is no text") % name, returncode=2) from e
