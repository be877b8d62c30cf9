"""Run the whole system on this machine: `manage.py standalone`."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import msgspec
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseTrouble
from django.db import connection, transaction
from django.db.migrations.exceptions import MigrationSchemaMissing
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.translation import gettext as _

import accounts.services
import pipeline.services
import streams.services
from controlplane import home, invitation, logs
from controlplane.standalone import house, outside, plan, ports, processes
from controlplane.standalone.run import NotReady, Report, System, listen_to_signals
from streams.broker import voice
from streams.core.errors import BrokerError
from streams.services import servers
from streams.services.supervising import NodeKeeper
from streams.supervise import AlreadySupervised

DEMO_ACCOUNTS = 20
PROBE_SESSION_S = 24 * 3600


class Refused(CommandError):
    """The operator asked for something that cannot be: one sentence, exit code 2."""

    def __init__(self, reason: object) -> None:
        super().__init__(str(reason), returncode=2)


def refuse_flags(message: str) -> NoReturn:
    # One sentence instead of the whole usage. Django reads the command line before it handles
    # errors, so raising one of its own would be a traceback.
    sys.stderr.write(f"tickplane: {message}.\n")
    sys.exit(2)


@dataclass(frozen=True)
class Options:
    """The command line."""

    host: str
    port: int | None
    exit_after_s: float | None
    as_json: bool
    demo: bool


class Command(BaseCommand):
    help = "Run everything on this machine, with embedded servers where no URL is given."
    requires_system_checks = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.error = refuse_flags  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="where the web server listens")
        parser.add_argument("--port", type=int, help="its port, 0 for any; default: 8085 or next")
        parser.add_argument("--exit-after", type=float, metavar="S", help="stop S s after ready")
        parser.add_argument("--json", action="store_true", help="print one JSON line at the end")
        parser.add_argument("--no-demo", action="store_true", help="no simulated exchange")

    def handle(self, *args: Any, **raw: Any) -> None:
        began_at = began()
        processes.share_heaps()
        options = Options(
            raw["host"], raw["port"], raw["exit_after"], raw["json"], not raw["no_demo"]
        )
        folder: Path = settings.HOME
        try:
            house.prepare(folder)
            with house.only_one(folder):
                logs.move_to(folder / "log" / "standalone.log")
                web_port = port_for(options)
                outside.ask(rabbitmq_url=settings.RABBITMQ_URL, redis_url=settings.REDIS_URL)
                report = asyncio.run(self.run(folder, web_port, options, began_at))
        except (
            house.HouseUnusable, ports.PortTaken, outside.LetNobodyIn, AlreadySupervised
        ) as e:  # fmt: skip
            raise Refused(e) from e
        except OSError as e:
            if e.filename is None:
                raise
            # A file of the data directory that is a folder, or somebody else's.
            raise Refused(f"{e.filename} cannot be used: {e.strerror}.") from e
        except (NotReady, BrokerError) as e:
            raise CommandError(str(e), returncode=1) from e
        if report is not None:
            self.stdout.write(msgspec.json.encode(asdict(report)).decode())

    async def run(
        self, folder: Path, web_port: int | None, options: Options, began_at: float
    ) -> Report | None:
        stopped = asyncio.Event()
        listen_to_signals(stopped)
        with database_in_words():
            # The rows say what NATS is to run.
            place = await sync_to_async(migrated)()
        drawn = draw(folder, web_port, options, place)
        environment = plan.child_environment(drawn, os.environ)
        system = System(
            drawn, environment, began_at=began_at, demo=options.demo, stopped=stopped,
            keeper=await sync_to_async(nats_keeper)(drawn, place, environment),
        )  # fmt: skip
        session = SessionStore()
        try:
            # Before NATS is there: what is said of its start waits for it.
            voice.begin(
                url=drawn.nats_url,
                service="standalone",
                log_level=settings.NATS_LOG_LEVEL,
                events=settings.NATS_EVENTS,
            )
            await system.start_broker()
            with database_in_words():
                user, password = await sync_to_async(declare)(drawn, demo=options.demo)
                cookie = await sync_to_async(probe_cookie)(session, user) if options.as_json else ""
                expected = await sync_to_async(flowing)() if options.demo else set()
            # A script reads standard output; what a person must see goes beside it.
            out = self.stderr if options.as_json else self.stdout
            try:
                system.start_others(cookie)
                await system.until_ready(expected)
            except NotReady:
                if password:  # It is made once: the next start could not show it.
                    out.write(password_line(password), style_func=str)
                raise
            voice.started()
            link = drawn.web_url + invitation.path(user)
            announce(drawn, link)
            out.write(banner(drawn, system.ready_s, link, password), style_func=str)
            if options.as_json:
                return await system.measure(options.exit_after_s)
            await system.watch(options.exit_after_s)
            return None
        finally:
            # While the server is there to hear it.
            await asyncio.to_thread(voice.end)
            await system.stop()
            if session.session_key:
                await sync_to_async(session.delete)()
            (drawn.given.home / home.RUNNING).unlink(missing_ok=True)


def began() -> float:
    """
    Return the Unix time at which the operator's command began.

    Raises:
        Refused: The set-up did not write it.
    """
    text = os.environ.pop("TICKPLANE_BEGAN_AT", "")
    try:
        at = float(text or time.time())
    except ValueError:
        at = math.nan
    if not 0 < at < math.inf:
        raise Refused(f"TICKPLANE_BEGAN_AT is {text!r}; the set-up writes a Unix time there.")
    return at


@contextmanager
def database_in_words() -> Iterator[None]:
    """
    Raises:
        Refused: The database cannot be used.
    """
    try:
        yield
    except (DatabaseTrouble, MigrationSchemaMissing) as e:
        # Drivers explain themselves in several lines.
        why = " ".join(str(e).split()).rstrip(".?")
        raise Refused(f"the database (DATABASE_URL) cannot be used: {why}.") from e


def migrated() -> servers.Place:
    """
    Bring the database up to date; return the node of NATS that runs here.

    Raises:
        django.db.Error, MigrationSchemaMissing: The database cannot be used.
    """
    call_command("migrate", interactive=False, verbosity=0)
    return servers.own_place()


def port_for(options: Options) -> int | None:
    """
    Return the port that was asked for, or None.

    Raises:
        PortTaken: The port that was asked for is not free.
        Refused: The host cannot be listened on safely, or at all.
    """
    if options.host not in plan.LOOPBACK and not os.environ.get("TICKPLANE_ALLOWED_HOSTS"):
        raise Refused(
            "--host: name the hosts that browsers will ask for in TICKPLANE_ALLOWED_HOSTS first."
        )
    if options.exit_after_s is not None and not 0 <= options.exit_after_s < math.inf:
        raise Refused("--exit-after is a number of seconds, 0 or more.")
    try:
        if options.port is None:
            return None
        return ports.exactly(options.host, options.port)
    except (OSError, OverflowError) as e:
        raise Refused(f"--host {options.host} --port {options.port}: {str(e).rstrip('.')}.") from e


def draw(folder: Path, web_port: int | None, options: Options, place: servers.Place) -> plan.Plan:
    """
    Raises:
        PortTaken: There is no free port for an embedded part.
    """
    # From the environment alone: the settings also know what an earlier run wrote down.
    nats_url, monitor_url = (os.environ.get(name, "") for name in ("NATS_URL", "NATS_MONITOR_URL"))
    if not nats_url and not place.starts:
        nats_url, monitor_url = place.url, place.monitor_url
    return plan.draw(
        plan.Given(
            home=folder,
            host=options.host,
            web_port=web_port or ports.Picker().near(place.service_port),
            nats_url=nats_url,
            monitor_url=monitor_url,
            nats_tls=place.tls,
            nats_port=place.port,
            monitor_port=place.http_port,
        )
    )


def nats_keeper(
    drawn: plan.Plan, place: servers.Place, environment: Mapping[str, str]
) -> NodeKeeper | None:
    """
    Return what keeps the embedded server, or None when an outside one is used.

    Raises:
        BrokerAway: There is no nats-server.
        OSError: Its folder cannot be used.
    """
    if not drawn.nats_port:
        return None
    fixed = {
        "port": drawn.nats_port,
        "http_port": drawn.monitor_port,
        # Our own processes reach it on loopback, whatever else it listens on.
        "host": place.host if place.host in plan.WILDCARDS else "127.0.0.1",
        # They were told how when they were started: other TLS comes with the next start.
        "tls": place.tls,
    }
    return NodeKeeper(name=place.name, environment=environment, fixed=fixed, ends_with_us=True)


def declare(drawn: plan.Plan, *, demo: bool) -> tuple[User, str]:
    """
    Create the declared streams; on the first start, make the admin and the demo.

    Returns:
        An administrator, and the password when this call made it.

    Raises:
        django.db.Error: The database cannot be used.
        BrokerError: NATS does not answer.
    """
    settings.NATS_URL, settings.NATS_MONITOR_URL = drawn.nats_url, drawn.monitor_url
    try:
        streams.services.keep_streams(now=timezone.now())
    finally:
        streams.services.link().close()
    with transaction.atomic():  # A start that is killed in between makes all of it next time.
        found = people_and_demo(drawn, demo=demo)
    connection.close()
    return found


def people_and_demo(drawn: plan.Plan, *, demo: bool) -> tuple[User, str]:
    """Return an administrator, and the password when this call made it; the demo on first start."""
    user = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    password = ""
    if user is None:
        password = get_random_string(20)
        user = User.objects.create_superuser("admin", password=password)
        if demo:
            accounts.services.declare_demo_accounts(count=DEMO_ACCOUNTS)
            pipeline.services.declare_demo_sources(endpoint=drawn.exchange_url)
    elif demo:
        # The simulated exchange may have another port than last time.
        pipeline.services.move_demo_source(endpoint=drawn.exchange_url)
    return user, password


def flowing() -> set[str]:
    """Return the sides that will bring data; an operator may have stopped or deleted the demo's."""
    found = set()
    if pipeline.services.has_demo_source():
        found.add("market")
    if accounts.services.tick():
        found.add("account")
    connection.close()
    return found


def probe_cookie(session: SessionStore, user: User) -> str:
    """Create the probe's session and return its cookie; it does not count as a sign-in."""
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.set_expiry(PROBE_SESSION_S)
    session.create()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def announce(drawn: plan.Plan, sign_in_url: str) -> None:
    """Tell commands in other terminals where this system's servers are."""
    home.write(
        drawn.given.home,
        home.RUNNING,
        {
            "WEB_URL": drawn.web_url,
            "SIGN_IN_URL": sign_in_url,
            "NATS_URL": drawn.nats_url,
            "NATS_MONITOR_URL": drawn.monitor_url,
            "DATABASE_URL": settings.DATABASE_URL,
            "RABBITMQ_URL": settings.RABBITMQ_URL,
            "REDIS_URL": settings.REDIS_URL,
        },
    )


def banner(drawn: plan.Plan, ready_s: float, link: str, password: str) -> str:
    rabbit = _("RabbitMQ") if settings.RABBITMQ_URL else _("no RabbitMQ (set RABBITMQ_URL)")
    lines = [
        "",
        _("  Tickplane is ready after %(seconds).1f s.  Data: %(home)s")
        % {"seconds": ready_s, "home": drawn.given.home},
        "",
        _("  Dashboard  %(url)s/") % {"url": drawn.web_url},
        _("  Sign in    %(link)s   (once, within 10 minutes)") % {"link": link},
        _("  Admin      %(url)s/admin/") % {"url": drawn.web_url},
    ]
    if password:
        lines.append(password_line(password))
    lines += [
        _("  Servers    %(database)s · NATS %(nats)s, monitored at %(monitor)s · %(rabbit)s")
        % {
            "database": connection.display_name,
            "nats": urlsplit(drawn.nats_url).netloc.rpartition("@")[2],  # No password.
            "monitor": drawn.monitor_url,
            "rabbit": rabbit,
        },
        _("  Logs       %(home)s/log    Stop: Ctrl-C") % {"home": drawn.given.home},
        "",
    ]
    return "\n".join(lines)


def password_line(password: str) -> str:
    return _("  Password   admin / %(password)s   (shown this once)") % {"password": password}
