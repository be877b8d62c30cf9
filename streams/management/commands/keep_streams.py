"""Create the declared streams that JetStream lacks: `manage.py keep_streams`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from streams import services
from streams.core.errors import BrokerError


class Command(BaseCommand):
    help = "Create the declared streams that do not exist; one that exists is not changed."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            kept = services.keep_streams(now=timezone.now())
        except BrokerError as e:
            raise CommandError(str(e)) from e
        for name in kept.created:
            if name in kept.recreated:
                self.stdout.write(_("%(name)s was gone and begins anew, empty") % {"name": name})
            else:
                self.stdout.write(_("%(name)s created") % {"name": name})
        for name in kept.existing:
            self.stdout.write(_("%(name)s there already") % {"name": name})
        for name in kept.gone:
            self.stdout.write(_("%(name)s is gone; sync_streams creates it") % {"name": name})
        if kept.failed:
            raise CommandError("; ".join(f"{name}: {reason}" for name, reason in kept.failed))
