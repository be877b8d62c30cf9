"""Take accounts from a CSV file: `manage.py import_accounts FILE`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.core import roster
from accounts.core.roster import BadFile
from accounts.services import importing

ACTOR = "command"


class Command(BaseCommand):
    help = "Make and alter accounts as a CSV file says: all of it, or nothing when a line is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help=_("- reads standard input"))
        parser.add_argument("--dry-run", action="store_true", help=_("say what it would do"))

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            text = roster.decoded(_bytes(options["file"]))
        except OSError as e:
            why = {"file": options["file"], "why": e.strerror}
            raise CommandError(_("%(file)s cannot be read: %(why)s.") % why, returncode=2) from e
        except BadFile as e:
            raise CommandError(f"{options['file']}: {e}.", returncode=2) from e
        report = importing.run(text=text, dry_run=options["dry_run"], actor=ACTOR)
        for error in report.errors:
            place = _("line %(line)d") % {"line": error.line}
            self.stderr.write(f"{', '.join(filter(None, (place, error.column)))}: {error.message}")
        if report.errors:
            raise CommandError(
                ngettext(
                    "Nothing was written: %(count)d error.",
                    "Nothing was written: %(count)d errors.",
                    len(report.errors),
                )
                % {"count": len(report.errors)}
            )
        self.stdout.write(
            _("%(created)d created, %(updated)d updated, %(unchanged)d unchanged")
            % {
                "created": report.created,
                "updated": report.updated,
                "unchanged": report.unchanged,
            }
            + (_(" (dry run: nothing was written)") if options["dry_run"] else "")
        )


def _bytes(name: str) -> bytes:
    # One byte more than is taken, so that a longer file is refused and not cut.
    if name == "-":
        return sys.stdin.buffer.read(roster.LONGEST_TEXT + 1)
    with Path(name).open("rb") as file:
        return file.read(roster.LONGEST_TEXT + 1)
