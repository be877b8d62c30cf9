"""
Takes accounts from a CSV file: all of it or nothing.

An account is known by server and login; one that is there is altered, the others are made. The plan
of a dry run is the plan that the real one carries out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.core import roster
from accounts.core.errors import VaultError
from accounts.core.roster import Row, RowError
from accounts.models import Account, AccountGroup, Tag
from accounts.services import audit, vault
from accounts.services import roster as roster_service
from accounts.services.audit import Act

__all__ = ["Report", "RowError", "RowResult", "run"]

CHUNK = 500
CREATED, UPDATED, UNCHANGED = "created", "updated", "unchanged"
# What is written as it was read.
PLAIN = (
    "label", "provider", "source", "currency", "leverage",
    "account_s", "update_s", "positions_s", "orders_s",
)  # fmt: skip
# With another of these an account begins anew, or the old interval would first run its course.
PACE = {"provider", "source", "group", "account_s", "update_s", "positions_s", "orders_s"}


@dataclass(frozen=True)
class RowResult:
    """What becomes of a line; `columns` names what changes, and never what it changes to."""

    line: int
    account: str
    outcome: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """What a file did, or would do. With an error, nothing was written."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    errors: list[RowError] = field(default_factory=list)
    rows: list[RowResult] = field(default_factory=list)
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass
class _Line:
    """One line on its way into the database. `tags` is None where they stay as they are."""

    account: Account
    result: RowResult
    tags: tuple[str, ...] | None
    group: str | None


@dataclass
class _Plan:
    """What a file asks for; `groups` and `tags` are those that are not there yet."""

    lines: list[_Line]
    groups: list[str]
    tags: list[str]

    def report(self) -> Report:
        outcomes = [line.result.outcome for line in self.lines]
        return Report(
            created=outcomes.count(CREATED),
            updated=outcomes.count(UPDATED),
            unchanged=outcomes.count(UNCHANGED),
            rows=[line.result for line in self.lines],
            groups=tuple(self.groups),
            tags=tuple(self.tags),
        )


def run(*, text: str, dry_run: bool, actor: str) -> Report:
    """Take the accounts of a CSV text; see core.roster for its columns."""
    sheet = roster.parsed(text)
    if sheet.errors:
        return Report(errors=list(sheet.errors))
    try:
        if dry_run:
            return _plan(sheet.rows, Account.objects.all()).report()
        with transaction.atomic():
            plan = _plan(sheet.rows, Account.objects.select_for_update(of=("self",)))
            _write(plan, actor)
    except VaultError as e:
        return Report(errors=[RowError(1, "password", str(e))])
    except IntegrityError:
        return Report(errors=[RowError(1, "", _("somebody else declared one of them; try again"))])
    return plan.report()


def _plan(rows: Sequence[Row], accounts: QuerySet[Account]) -> _Plan:
    known = _known(rows, accounts)
    lines = [_planned(row, known.get((row.server, row.login))) for row in rows]
    return _Plan(
        lines,
        _missing(AccountGroup, {line.group for line in lines if line.group}),
        _missing(Tag, {tag for line in lines for tag in line.tags or ()}),
    )


def _known(rows: Sequence[Row], accounts: QuerySet[Account]) -> dict[tuple[str, int], Account]:
    """Return the accounts of these lines that are there."""
    wanted = {(row.server, row.login) for row in rows}
    # What the workers write is neither needed nor small.
    accounts = (
        accounts.select_related("group")
        .prefetch_related("tags")
        .defer("state", "published", "bar", "trackers")
        .order_by("pk")
    )
    found: dict[tuple[str, int], Account] = {}
    for part in _chunks(sorted({login for _server, login in wanted})):
        for account in accounts.filter(login__in=part):
            found[account.server, account.login] = account
    return found


def _planned(row: Row, account: Account | None) -> _Line:
    """
    Return what the line makes of its account.

    Raises:
        VaultError: It has a password, which cannot be sealed.
    """
    outcome = UPDATED if account else CREATED
    account = account or Account(server=row.server, login=row.login)
    given = row.given
    changed = []
    for name in PLAIN:
        if name in given and getattr(account, name) != given[name]:
            setattr(account, name, given[name])
            changed.append(name)
    group, tags = given.get("group"), given.get("tags")
    if group is not None and group != (account.group.name if account.group else ""):
        changed.append("group")
    if tags is not None and set(tags) != _tags_of(account):
        changed.append("tags")
    if "password" in given and not vault.holds(account.sealed_password, given["password"]):
        account.sealed_password = vault.seal(given["password"])
        changed.append("password")
    if outcome == UPDATED and not changed:
        outcome = UNCHANGED
    result = RowResult(row.line, str(account), outcome, tuple(changed))
    return _Line(account, result, tags, group)


def _tags_of(account: Account) -> set[str]:
    return {tag.name for tag in account.tags.all()} if account.pk else set()


def _missing(model: type[AccountGroup | Tag], names: set[str]) -> list[str]:
    return sorted(names - set(model.objects.values_list("name", flat=True)))


def _write(plan: _Plan, actor: str) -> None:
    lines = plan.lines
    AccountGroup.objects.bulk_create(AccountGroup(name=name) for name in plan.groups)
    Tag.objects.bulk_create(Tag(name=name) for name in plan.tags)
    group_of = {group.name: group for group in AccountGroup.objects.all()}
    for line in lines:
        if line.group is not None:
            line.account.group = group_of.get(line.group)
    created = [line for line in lines if line.result.outcome == CREATED]
    updated = [line for line in lines if line.result.outcome == UPDATED]
    Account.objects.bulk_create([line.account for line in created], batch_size=CHUNK)
    columns = {name for line in updated for name in line.result.columns} - {"tags"}
    names = {"sealed_password" if name == "password" else name for name in columns}
    if names:
        accounts = [line.account for line in updated]
        Account.objects.bulk_update(accounts, sorted(names), batch_size=CHUNK)
    _tag([line for line in lines if "tags" in line.result.columns])
    hurried = [line.account.pk for line in updated if PACE & set(line.result.columns)]
    for part in _chunks(hurried):
        roster_service.request_snapshots(accounts=Account.objects.filter(pk__in=part))
    audit.note_all(_acts(created, "create", actor))
    audit.note_all(_acts(updated, "edit", actor))


def _tag(lines: Sequence[_Line]) -> None:
    through = Account.tags.through
    tag_of = {tag.name: tag.pk for tag in Tag.objects.all()}
    for part in _chunks(lines):
        through.objects.filter(account_id__in=[line.account.pk for line in part]).delete()
        through.objects.bulk_create(
            through(account_id=line.account.pk, tag_id=tag_of[name])
            for line in part
            for name in line.tags or ()
        )


def _acts(lines: Sequence[_Line], action: str, actor: str) -> Iterator[Act]:
    for line in lines:
        columns = ", ".join(line.result.columns)
        yield Act(
            actor=actor,
            action=action,
            account=line.account,
            detail=_("CSV line %(line)d: %(columns)s")
            % {"line": line.result.line, "columns": columns},
        )


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(items), CHUNK):
        yield items[first : first + CHUNK]
