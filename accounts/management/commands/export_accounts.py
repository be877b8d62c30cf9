"""Write the accounts as CSV: `manage.py export_accounts > accounts.csv`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from accounts import services
from accounts.services import exporting, queries


class Command(BaseCommand):
    help = "Write the accounts as CSV that import_accounts reads; passwords are never in it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--group", help=_("only the accounts of the group of this name"))
        parser.add_argument("--server", help=_("only the accounts of this server"))

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = services.snapshots()
        if options["group"] is not None:
            # An empty file would look as if the group had no accounts.
            if not queries.groups().filter(name=options["group"]).exists():
                raise CommandError(
                    _("There is no group %(name)s.") % {"name": options["group"]}, returncode=2
                )
            accounts = accounts.filter(group__name=options["group"])
        if options["server"] is not None:
            accounts = accounts.filter(server=options["server"])
        for line in exporting.exported(accounts=accounts):
            self.stdout.write(line, ending="")
