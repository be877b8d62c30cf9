"""Whether what is installed is as it should be: packages, and the database."""

from __future__ import annotations

import enum
import platform
import re
from importlib import metadata
from pathlib import Path

import msgspec
from django import db
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

# A line of requirements.txt; what follows a semicolon says where it is needed.
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)\s*(;)?")
NAMED = 5


class Grade(enum.Enum):
    GOOD = "good"
    POOR = "poor"  # worth a look; nothing fails because of it
    BAD = "bad"


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at, and how it is."""

    name: str
    grade: Grade
    told: str


def dependencies(*, lock: Path) -> Check:
    """
    Compare what is installed with what the lock file says.

    Args:
        lock: requirements.txt; where there is none, nothing can be compared.
    """
    name = "dependencies"
    python = _("Python %s") % platform.python_version()
    try:
        lines = lock.read_text(encoding="utf-8").splitlines()
    except OSError:
        return Check(name, Grade.POOR, _("%s; there is no lock file to compare with") % python)
    locked = [found.groups() for line in lines if (found := _LOCKED.match(line))]
    missing, others = [], []
    for package, version, elsewhere in locked:
        installed = _installed(package)
        if installed is None and not elsewhere:
            missing.append(package)
        elif installed not in (None, version):
            others.append(f"{package} {installed} ({_('locked')}: {version})")
    if missing:
        return Check(name, Grade.BAD, _("%(python)s; missing: %(names)s") % {
            "python": python, "names": _named(missing)})  # fmt: skip
    if others:
        return Check(name, Grade.POOR, _("%(python)s; other versions: %(names)s") % {
            "python": python, "names": _named(others)})  # fmt: skip
    told = ngettext("%d package as locked", "%d packages as locked", len(locked)) % len(locked)
    return Check(name, Grade.GOOD, f"{python}; {told}")


def database() -> Check:
    name = "database"
    try:
        executor = MigrationExecutor(db.connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except db.Error as e:
        return Check(name, Grade.BAD, _("cannot be used: %s") % str(e).strip())
    if waiting:
        told = ngettext(
            "%d migration is not applied", "%d migrations are not applied", len(waiting)
        )
        return Check(name, Grade.BAD, told % len(waiting))
    return Check(name, Grade.GOOD, _("%s; migrated") % db.connection.vendor)


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _named(names: list[str]) -> str:
    told = ", ".join(names[:NAMED])
    return f"{told}, …" if len(names) > NAMED else told
