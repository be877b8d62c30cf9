"""Make records of what NATS has: `manage.py import_streams [STREAM…]`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from streams.core.errors import StreamsError
from streams.models import Policy
from streams.services import importing


class Command(BaseCommand):
    help = "Make a record of each stream and durable consumer in NATS that has none yet."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="STREAM", help="Left out: all of them.")
        parser.add_argument(
            "--policy",
            choices=Policy.values,
            default=Policy.OBSERVE.value,
            help="What plans may do to them.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = importing.import_streams(
                actor="manage.py import_streams",
                names=options["names"] or None,
                policy=options["policy"],
            )
        except StreamsError as e:
            raise CommandError(str(e), returncode=2) from e
        for name in done.created:
            self.stdout.write(_("%(name)s imported") % {"name": name})
        for name in done.known:
            self.stdout.write(_("%(name)s known already") % {"name": name})
        if done.missing:
            raise CommandError(
                _("not in NATS: %(names)s") % {"names": ", ".join(done.missing)}, returncode=2
            )
