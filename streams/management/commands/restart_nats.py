"""Restart the nodes of a cluster one after another: `manage.py restart_nats`."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from streams.services import rolling

LOOK_S = 0.25


class Command(BaseCommand):
    help = "Restart the NATS nodes of a cluster, each when all copies of all streams are whole."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--cluster", default="", help="its name; needless where only one is")
        parser.add_argument(
            "--patience", type=float, default=rolling.PATIENCE.total_seconds(), metavar="S",
            help="give up when the cluster is not whole again after so many seconds",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            roll = rolling.begin(
                cluster=options["cluster"],
                actor="restart_nats",
                now=timezone.now(),
                patience=timedelta(seconds=options["patience"]),
            )
            self._go_on(roll)
        except (rolling.NoSuchCluster, rolling.RollStopped) as e:
            raise CommandError(str(e)) from e

    def _go_on(self, roll: rolling.Roll) -> None:
        said: tuple[str, tuple[str, ...]] = ("", ())
        while not (progress := roll.look(now=timezone.now())).is_done:
            if (step := (progress.now, progress.waits_for)) != said:
                said = step
                self.stdout.write("; ".join(progress.waits_for))
            time.sleep(LOOK_S)
        self.stdout.write(_("Restarted: %s") % ", ".join(progress.restarted))
