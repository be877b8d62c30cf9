"""Print a fresh link that signs a user in once: `manage.py sign_in_link [USERNAME]`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from controlplane import home, invitation


class Command(BaseCommand):
    help = "Print a link that signs a user in once, within ten minutes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", nargs="?", default="admin")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(
                _("There is no active user %(name)s.") % {"name": options["username"]}, returncode=2
            )
        # Only a running `standalone` knows its own address; elsewhere the path is enough.
        address = home.running(settings.HOME).get("WEB_URL", "")
        self.stdout.write(address + invitation.path(user))
