"""Keep a nats-server running as its node's rows say: `manage.py run_nats`."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django import db
from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from streams.core.errors import BrokerAway
from streams.services import announcing, servers
from streams.services.supervising import NodeKeeper
from streams.supervise import AlreadySupervised

POLL_S = 1.0


class Command(BaseCommand):
    help = "Start, configure, watch and restart the nats-server of one declared node."
    # Not the URLs': this process serves none.
    requires_system_checks = [Tags.models, Tags.database]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--node", default="", help="its name; needless where only one is")
        parser.add_argument("--host", default="", help="listen here, whatever the cluster says")
        parser.add_argument(
            "--monitor-host", default="", help="let others ask the monitoring port, without a login"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        fixed = {"host": options["host"], "http_host": options["monitor_host"]}
        keeper = self.keeper(options["node"], {key: host for key, host in fixed.items() if host})
        try:
            # Its end is announced while the server is there to hear it.
            with announcing.announced(service="nats"):
                while not stopped.is_set():
                    keeper.look(now=timezone.now())
                    stopped.wait(POLL_S)
        finally:
            keeper.stop(now=timezone.now())

    def keeper(self, name: str, fixed: dict[str, str]) -> NodeKeeper:
        """
        Raises:
            CommandError: No such node, or its server cannot be kept by this process.
        """
        # Nothing of our own environment: the server needs none of it, and it holds secrets.
        environment = {"TICKPLANE_HOME": str(settings.HOME)}
        try:
            names = servers.node_names()
            chosen = [each for each in names if name in ("", each)]
            if len(chosen) != 1:
                raise CommandError(why_none(name, names), returncode=2)
            return NodeKeeper(name=chosen[0], environment=environment, fixed=fixed)
        except db.Error as e:
            raise CommandError(
                _("The database cannot be used: %s. Has it been migrated?") % e, returncode=2
            ) from e
        except (AlreadySupervised, BrokerAway) as e:
            raise CommandError(str(e), returncode=2) from e
        except OSError as e:
            raise CommandError(f"{e.filename}: {e.strerror}", returncode=2) from e


def why_none(name: str, names: list[str]) -> str:
    known = {"name": name, "names": ", ".join(names) or _("none")}
    if name:
        return _("There is no node called %(name)s; declared: %(names)s.") % known
    return _("Say which node to run: --node NAME; declared: %(names)s.") % known
