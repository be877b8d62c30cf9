"""Make NATS as declared: `manage.py sync_streams --plan | --apply HASH | --accept`."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from streams.core.errors import StreamsError
from streams.core.plan import DOES, Change, Item, Plan
from streams.services import importing, sync

ACTOR = "manage.py sync_streams"
SIGNS = {
    "in_sync": "=",
    "create": "+",
    "update": "~",
    "one_way": "!",
    "adopt": "=",
    "drifted": "?",
    "observed": "?",
    "refused": "x",
}
LONGEST = 60


class Command(BaseCommand):
    help = (
        "Compare what is declared with NATS, and apply exactly the plan that was shown. Exit code "
        "of --plan: 0 as declared, 1 there is a difference, 2 it could not be said; of --apply: 0 "
        "done, 1 a part was not done, 2 nothing was done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="Streams, STREAM/consumer.")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--plan", action="store_true", help="Show what would be done.")
        what.add_argument("--apply", metavar="HASH", help="Do it; the plan ends with its hash.")
        what.add_argument(
            "--accept", action="store_true", help="Declare what NATS has of these names."
        )
        parser.add_argument(
            "--confirm",
            action="append",
            default=[],
            metavar="NAME",
            help="Agree to a change of this object that loses messages or cannot be taken back.",
        )
        parser.add_argument("--json", action="store_true", help="One JSON object on one line.")

    def handle(self, *args: Any, **options: Any) -> None:
        names = options["names"] or None
        try:
            if options["plan"]:
                found = sync.plan(names=names)
                self._say(_as_json(found) if options["json"] else _as_text(found))
                differs = found.differs
            elif options["accept"]:
                differs = False
                self._accept(options["names"])
            else:
                done = sync.apply(
                    plan_hash=options["apply"],
                    actor=ACTOR,
                    now=timezone.now(),
                    confirm={name: name for name in options["confirm"]},
                    names=names,
                )
                self._say(_done_as_json(done) if options["json"] else _done_as_text(done))
                differs = bool(done.failed)
        except StreamsError as e:
            raise CommandError(str(e), returncode=2) from e
        if differs:
            # No error to be told: a difference is an answer.
            sys.exit(1)

    def _accept(self, names: list[str]) -> None:
        if not names:
            raise CommandError(_("--accept needs names"), returncode=2)
        for name in importing.accept(names=names, actor=ACTOR):
            self._say(_("%(name)s: declared as NATS has it") % {"name": name})

    def _say(self, text: str) -> None:
        self.stdout.write(text)


def _as_text(plan: Plan) -> str:
    lines: list[str] = []
    for item in plan.items:
        lines += _item_lines(item)
    acts = [item for item in plan.items if item.action in DOES and item.differs]
    if plan.undeclared:
        names = ", ".join(plan.undeclared)
        lines.append(_("In NATS and not declared (import_streams): %(names)s") % {"names": names})
    if not plan.differs:
        lines.append(_("NATS is as declared."))
    if any(item.action in DOES for item in plan.items):
        confirm = "".join(f" --confirm {item.name}" for item in acts if item.needs_name)
        lines += ["", _count(len(acts)), f"sync_streams --apply {plan.hash}{confirm}"]
    return "\n".join(lines)


def _count(count: int) -> str:
    text = ngettext("%(count)d object would be changed:", "%(count)d would be changed:", count)
    return text % {"count": count}


def _item_lines(item: Item) -> list[str]:
    words = {"kind": item.kind, "name": item.name, "action": item.action.replace("_", " ")}
    lines = [f"{SIGNS[item.action]} " + "{kind} {name}: {action}".format(**words)]
    lines += [f"    {_change_line(change)}" for change in item.changes]
    lines += [f"    {reason}" for reason in item.reasons]
    lines += [f"    {_('warning')}: {warning}" for warning in item.warnings]
    if item.needs_name:
        lines.append("    " + _("needs --confirm %(name)s") % {"name": item.name})
    return lines


def _change_line(change: Change) -> str:
    line = f"{change.field}: {_short(change.live)}"
    if change.effect == "drift":
        line += " (" + _("was %(value)s") % {"value": _short(change.applied)} + ")"
    else:
        line += f" → {_short(change.desired)}"
    if change.effect in ("one_way", "destructive", "refused"):
        line += f"  [{change.effect.replace('_', ' ')}]"
    return f"{line}  {change.why}".rstrip()


def _short(value: object) -> str:
    if value is None:
        return _("none")
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _as_json(plan: Plan) -> str:
    return msgspec.json.encode({"differs": plan.differs, **msgspec.structs.asdict(plan)}).decode()


def _done_as_text(done: sync.Applied) -> str:
    if not done.items:
        return _("Nothing to do.")
    lines = []
    for item in done.items:
        line = f"{item.kind} {item.name}: {item.action.replace('_', ' ')}: {item.outcome}"
        line += f": {item.reason}" if item.reason else ""
        lines.append(line + (f" ({_('backup')} {item.backup})" if item.backup else ""))
    return "\n".join(lines)


def _done_as_json(done: sync.Applied) -> str:
    return msgspec.json.encode(done).decode()
