"""Make, list and end API tokens: `manage.py api_token create|list|revoke`."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from controlplane import access
from controlplane.models import ApiToken

ACTOR = "manage.py api_token"
MOST_DAYS = 36_500


class Command(BaseCommand):
    help = "Make, list and end the tokens with which programs call the API."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        create = acts.add_parser("create", help="print a new token, once")
        create.add_argument("username")
        create.add_argument("--name", required=True, help="what it is for")
        create.add_argument(
            "--scope", action="append", default=[], help=f"one of {', '.join(access.SCOPES)}; again"
        )
        create.add_argument("--days", type=int, help="how long it lives; for ever, if left out")
        acts.add_parser("list", help="print all tokens; never their secrets")
        revoke = acts.add_parser("revoke", help="end a token for good")
        revoke.add_argument("prefix", help="how the token begins, as `list` prints it")

    def handle(self, *args: Any, **options: Any) -> None:
        match options["act"]:
            case "create":
                self._create(options)
            case "list":
                self._list()
            case _:
                self._revoke(options["prefix"])

    def _create(self, options: dict[str, Any]) -> None:
        now, days = timezone.now(), options["days"]
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(
                _("There is no user %(name)s.") % {"name": options["username"]}, returncode=2
            )
        if days is not None and not 0 < days <= MOST_DAYS:
            raise CommandError(
                _("--days is a number from 1 to %(most)d.") % {"most": MOST_DAYS}, returncode=2
            )
        try:
            _token, secret = access.create(
                user=user,
                name=options["name"],
                scopes=options["scope"],
                expires_at=None if days is None else now + timedelta(days=days),
                actor=ACTOR,
                now=now,
            )
        except access.BadToken as e:
            raise CommandError(str(e), returncode=2) from e
        self.stdout.write(secret)

    def _list(self) -> None:
        for token in ApiToken.objects.select_related("user"):
            self.stdout.write(
                f"{token.prefix}  {_state(token):8}  {token.user.get_username()}  "
                f"{','.join(token.scopes)}  {token.name}"
            )

    def _revoke(self, prefix: str) -> None:
        found = list(ApiToken.objects.select_related("user").filter(prefix=prefix))
        if len(found) != 1:
            raise CommandError(
                _("%(count)d tokens begin with %(prefix)s.")
                % {"count": len(found), "prefix": prefix},
                returncode=2,
            )
        if not access.revoke(token=found[0], actor=ACTOR, now=timezone.now()):
            raise CommandError(_("It has ended already."), returncode=1)


def _state(token: ApiToken) -> str:
    if token.revoked_at:
        return "revoked"
    return "expired" if token.expires_at and token.expires_at <= timezone.now() else "alive"
