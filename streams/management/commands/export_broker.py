"""Write the broker's settings as YAML, without passwords: `manage.py export_broker`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from streams.core.errors import BadDefinition
from streams.services import brokerfiles, servers


class Command(BaseCommand):
    help = "Write a cluster, its users and the declared streams as YAML, without passwords."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--cluster", default=servers.OWN_NODE, help="default: %(default)s")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            text = brokerfiles.export_file(cluster=options["cluster"])
        except BadDefinition as e:
            raise CommandError(str(e), returncode=2) from e
        self.stdout.write(text, ending="")
