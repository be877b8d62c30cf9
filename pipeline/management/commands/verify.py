"""Verify a deployment, part by part, and listen for what it brings: `manage.py verify`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable
from typing import Any

import msgspec
from django import db
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _
from msgspec import structs

from pipeline.core.tally import Silence, Tally
from pipeline.management.listening import listen
from pipeline.services import installed, verifying
from pipeline.services.installed import Check, Grade
from pipeline.services.verifying import Declared
from streams.core.errors import BadDefinition, BrokerError
from streams.core.templates import TYPES

MARKS = {Grade.GOOD: "ok", Grade.POOR: "look", Grade.BAD: "FAIL"}
BAR = 30
LINE_EVERY_S = 5.0
MOST_LINES = 500


def duration(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 1 <= found <= 3600:  # noqa: PLR2004  a second to an hour
        raise ArgumentTypeError(_("give 1 to 3600 seconds"))
    return found


class Command(BaseCommand):
    help = "Check dependencies, database, NATS and sources; then listen for what they should bring."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--seconds", type=duration, default=30.0, help="how long to listen (%(default)s)"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object, and no progress")
        parser.add_argument(
            "--allow-silent", action="append", default=[], choices=TYPES, metavar="TYPE",
            help="types of data that may stay silent: " + ", ".join(TYPES),
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        self._json = options["json"]
        self._lines_s = 0.0
        checks: list[Check] = []
        wanted = self._look(checks)
        tally, silences = None, []
        if wanted is not None and wanted.sources:
            tally = Tally(wanted.templates)
            silences = self._listen(checks, wanted, tally, options["seconds"])
        excused = set(options["allow_silent"])
        failing = [s for s in silences if s.expected.data_type not in excused]
        good = not failing and not any(check.grade is Grade.BAD for check in checks)
        if self._json:
            self._say_json(good, checks, tally, silences, excused)
        elif tally is not None:
            assert wanted is not None
            self._say_counts(tally)
            self._say_silences(silences, wanted, excused)
        if not good:
            raise CommandError(_("The deployment is not as it should be."), returncode=1)
        if not self._json:
            self.stdout.write(self.style.SUCCESS(_("Everything is as it should be.")))

    def _look(self, checks: list[Check]) -> Declared | None:
        """Return what to listen for; None where that cannot be known, or nobody could tell."""
        self._note(checks, installed.dependencies(lock=settings.BASE_DIR / "requirements.txt"))
        self._note(checks, installed.database())
        if checks[-1].grade is Grade.BAD:
            return None
        try:
            wanted = verifying.declared()
            self._note(checks, *verifying.collector(now=timezone.now()))
        except BadDefinition as e:
            self._note(checks, Check("subjects", Grade.BAD, str(e)))
            return None
        except db.Error as e:
            self._note(checks, Check("database", Grade.BAD, str(e).strip()))
            return None
        found = verifying.nats(wanted=wanted)
        self._note(checks, *found)
        reached = all(check.grade is not Grade.BAD for check in found if check.name == "nats")
        return wanted if reached else None

    def _listen(
        self, checks: list[Check], wanted: Declared, tally: Tally, seconds: float
    ) -> list[Silence]:
        def tell(passed_s: float) -> None:
            self._progress(passed_s, seconds, tally, len(wanted.sources))

        try:
            losses = listen(
                url=settings.NATS_URL,
                patterns=tally.patterns(wanted.sources),
                seconds=seconds,
                tally=tally,
                tell=tell,
            )
        except BrokerError as e:
            self._note(checks, Check("listening", Grade.BAD, str(e)))
            return tally.silences(wanted.sources)
        if losses:
            told = _("losses of the link to NATS: %d") % losses
            self._note(checks, Check("listening", Grade.BAD, told))
        return self._explained(tally.silences(wanted.sources))

    @staticmethod
    def _explained(silences: list[Silence]) -> list[Silence]:
        unexplained = [silence.subject for silence in silences if not silence.reason]
        words = verifying.last_words(subjects=unexplained) if unexplained else {}
        return [
            structs.replace(silence, reason=silence.reason or words.get(silence.subject, ""))
            for silence in silences
        ]

    def _progress(self, passed_s: float, seconds: float, tally: Tally, subjects: int) -> None:
        if self._json:
            return
        told = _("%(passed)d of %(whole)d s, %(messages)d messages on %(subjects)d subjects") % {
            "passed": passed_s, "whole": seconds,
            "messages": tally.data.total(), "subjects": len(tally.data),
        }  # fmt: skip
        is_end = passed_s >= seconds
        if sys.stdout.isatty():
            done = int(BAR * passed_s / seconds)
            bar = "█" * done + "░" * (BAR - done)
            self.stdout.write(f"\r{bar} {told}", ending="\n" if is_end else "")
            self.stdout.flush()
        elif is_end or passed_s >= self._lines_s:
            self._lines_s = passed_s + LINE_EVERY_S
            self.stdout.write(told)

    def _note(self, checks: list[Check], *found: Check) -> None:
        checks.extend(found)
        if self._json:
            return
        for check in found:
            styles = {Grade.GOOD: self.style.SUCCESS, Grade.POOR: self.style.WARNING}
            mark = styles.get(check.grade, self.style.ERROR)(f"{MARKS[check.grade]:4}")
            self.stdout.write(f"{mark} {check.name}: {check.told}")

    def _say_counts(self, tally: Tally) -> None:
        for subject, count in sorted(tally.data.items())[:MOST_LINES]:
            self.stdout.write(f"{count:>10,} {subject}")
        if len(tally.data) > MOST_LINES:
            self.stdout.write(_("… and %d subjects more") % (len(tally.data) - MOST_LINES))
        if tally.unreadable:
            self.stdout.write(_("%d messages are none of ours") % tally.unreadable)

    def _say_silences(
        self, silences: Iterable[Silence], wanted: Declared, excused: set[str]
    ) -> None:
        for silence in silences:
            is_excused = silence.expected.data_type in excused
            mark = self.style.WARNING("look") if is_excused else self.style.ERROR("FAIL")
            reason = silence.reason or _("nothing was heard")
            names = ", ".join(wanted.sources[silence.expected])
            self.stdout.write(f"{mark} {silence.subject} {_('stayed silent')}: {reason} ({names})")

    def _say_json(
        self,
        good: bool,  # noqa: FBT001
        checks: list[Check],
        tally: Tally | None,
        silences: Iterable[Silence],
        excused: set[str],
    ) -> None:
        whole = {
            "ok": good,
            "checks": checks,
            "subjects": dict(sorted(tally.data.items())) if tally else {},
            "silent": [
                {
                    "subject": silence.subject,
                    "reason": silence.reason,
                    "allowed": silence.expected.data_type in excused,
                }
                for silence in silences
            ],
        }
        text = msgspec.json.format(msgspec.json.encode(whole), indent=2)
        self.stdout.write(text.decode())
