"""Publish a part of the shards from one long-lived process: `manage.py run_publisher`."""

from __future__ import annotations

import os
import signal
import socket
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import services
from accounts.core.errors import BadShards
from streams.services import announcing


class Command(BaseCommand):
    help = "Publish the accounts of some shards every second, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--shards",
            default="0/1",
            metavar="FIRST-LAST/OF",
            help="a part of all shards: 0-9/100 are the first ten of each hundred (default: all)",
        )

    def handle(self, *args: Any, shards: str, **options: Any) -> None:
        try:
            part = services.part(shards)
        except BadShards as e:
            raise CommandError(str(e), returncode=2) from e
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        holder = f"{socket.gethostname()} {os.getpid()}"
        self.stdout.write(_("publishing the shards %(part)s") % {"part": shards})
        with announcing.announced(service="publisher"):
            totals = services.run_publisher(
                wanted=part, holder=holder, stopped=stopped, clock=timezone.now
            )
        self.stdout.write(
            _("%(ticks)d ticks, %(late)d skipped; %(messages)d messages, %(events)d events")
            % {
                "ticks": totals.ticks,
                "late": totals.late,
                "messages": totals.messages.total(),
                "events": totals.events,
            }
        )
