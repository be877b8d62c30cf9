"""Seal the accounts' passwords anew with the first key: `manage.py rotate_account_keys`."""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.core.errors import NoKey
from accounts.services import vault


class Command(BaseCommand):
    help = "Seal every kept investor password anew with the first of TICKPLANE_ACCOUNT_KEYS."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--new-key", action="store_true", help=_("only print a fresh key, and change nothing")
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new_key"]:
            self.stdout.write(Fernet.generate_key().decode())
            return
        try:
            done = vault.rotate()
        except NoKey as e:
            raise CommandError(f"{e}.") from e
        self.stdout.write(
            ngettext(
                "%(count)d password is sealed with the first key now.",
                "%(count)d passwords are sealed with the first key now.",
                done.resealed,
            )
            % {"count": done.resealed}
        )
        if done.unopened:
            raise CommandError(
                _("None of the keys opens the password of: %(accounts)s.")
                % {"accounts": ", ".join(done.unopened)}
            )
