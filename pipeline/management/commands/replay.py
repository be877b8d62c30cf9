from __future__ import annotations

import argparse
import asyncio
import json
import logging
import math
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from pipeline.core.errors import BadRecording
from pipeline.simulate import replay
from pipeline.simulate.recorded import Recording
from pipeline.simulate.serve import CannotListen

MAX = "max"


class Command(BaseCommand):
    help = "Serve recorded exchange traffic over a real WebSocket."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument(
            "--speed",
            type=_speed,
            default=1.0,
            help=_("1 is as recorded, 2 is twice as fast, max is as fast as the client reads"),
        )
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=9451, help=_("0 takes any free port"))
        parser.add_argument(
            "--once", action="store_true", help=_("end after one client received everything")
        )
        parser.add_argument("--json", action="store_true", help=_("say everything as JSON lines"))

    def handle(self, *args: Any, **options: Any) -> None:
        # A client that vanishes during its handshake is no event of ours.
        logging.getLogger("websockets").setLevel(logging.CRITICAL)
        try:
            recording = Recording(options["files"])
            report = asyncio.run(
                replay.run(
                    recording,
                    host=options["host"],
                    port=options["port"],
                    speed=None if math.isinf(options["speed"]) else options["speed"],
                    once=options["once"],
                    ready=lambda url: self._say_ready(url, recording, options["json"]),
                )
            )
        except BadRecording as e:
            raise CommandError(_("The recording was refused: %s.") % e, returncode=2) from e
        except CannotListen as e:
            raise CommandError(_("The replay %s.") % e, returncode=2) from e
        if report is not None:
            self._say_report(report, options["json"])

    def _say_ready(self, url: str, recording: Recording, as_json: bool) -> None:  # noqa: FBT001
        if as_json:
            self.stdout.write(json.dumps({"url": url, "frames": recording.count}))
        else:
            self.stdout.write(
                _("%(frames)d frames wait at %(url)s (a source's endpoint)")
                % {"frames": recording.count, "url": url}
            )
            self.stdout.write(_("of: %s") % ", ".join(sorted(recording.streams)))
        self.stdout.flush()

    def _say_report(self, report: replay.Report, as_json: bool) -> None:  # noqa: FBT001
        found = {"frames": report.frames, "bytes": report.bytes, "seconds": report.seconds}
        self.stdout.write(
            json.dumps(found)
            if as_json
            else _("%(frames)d frames, %(bytes)d bytes sent in %(seconds)s s") % found
        )


def _speed(text: str) -> float:
    """Return the factor; infinity for `max`."""
    if text == MAX:
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0 < speed < math.inf:
        raise argparse.ArgumentTypeError(_("%r is no speed; use a number above 0, or max") % text)
    return speed
