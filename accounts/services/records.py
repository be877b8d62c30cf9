"""
Declares, edits and deletes what an operator owns: accounts, groups, tags and rules.

Each act is checked by the record's own rules and written down in the same transaction. What a
record's rules refuse comes as Django's ValidationError, by the names of the columns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils.translation import gettext as _

from accounts.core.errors import Conflict
from accounts.core.schedule import Intervals
from accounts.models import Account, AccountGroup, Rule, Tag
from accounts.services import audit, roster, rules, vault

INTERVALS = Intervals.__struct_fields__

AnyRecord = TypeVar("AnyRecord", AccountGroup, Tag, Rule)


def declare_account(
    *,
    values: Mapping[str, Any],
    tags: Collection[str] = (),
    group: str = "",
    password: str = "",
    actor: str,
) -> Account:
    """
    Return a new account, which is not published until it is deployed.

    Raises:
        ValidationError: A value cannot be.
        Conflict: The account is there already.
        VaultError: The password cannot be sealed.
    """
    with transaction.atomic():
        account = Account(**values, group=_group(group))
        if password:
            account.sealed_password = vault.seal(password)
        if Account.objects.filter(server=account.server, login=account.login).exists():
            raise Conflict(_("%(account)s is declared already") % {"account": account})
        account.full_clean(validate_unique=False, validate_constraints=False)
        _save(account)
        account.tags.set(_tags(tags))
        audit.note(actor=actor, action="create", account=account)
    return account


def edit_account(  # noqa: PLR0913  what is None stays as it is
    *,
    account: Account,
    values: Mapping[str, Any],
    tags: Collection[str] | None = None,
    group: str | None = None,
    password: str | None = None,
    actor: str,
) -> Account:
    """
    Return the account as it is then. An empty group means none, an empty password forgets it.

    With another interval the account begins anew, or the old one would first run its course; with
    another provider too, because another process may write its messages then.

    Raises:
        ValidationError: A value cannot be.
        VaultError: The password cannot be sealed.
    """
    with transaction.atomic():
        account = Account.objects.select_for_update(of=("self",)).get(pk=account.pk)
        before = _pace(account)
        changed = _assigned(account, values)
        if group is not None and group != (account.group.name if account.group else ""):
            account.group = _group(group)
            changed.append("group")
        if password is not None:
            account.sealed_password = vault.seal(password) if password else ""
            changed.append("sealed_password")
        account.full_clean(validate_unique=False, validate_constraints=False)
        if changed:
            # Only these: the workers write the others at this moment.
            account.save(update_fields=changed)
        if tags is not None and set(tags) != {tag.name for tag in account.tags.all()}:
            account.tags.set(_tags(tags))
            changed.append("tags")
        if changed:
            audit.note(actor=actor, action="edit", account=account, detail=_named(changed))
        if _pace(account) != before:
            roster.request_snapshots(accounts=Account.objects.filter(pk=account.pk))
    return account


def _pace(account: Account) -> tuple[object, ...]:
    return account.intervals(), account.provider, account.source


def delete_account(*, account: Account, actor: str) -> None:
    """
    Delete the account with its events and history.

    Raises:
        Conflict: It is published, or about to be, or still owes something.
    """
    moves = roster.delete(accounts=Account.objects.filter(pk=account.pk), actor=actor)
    for refusal in moves.refused:
        raise Conflict(f"{refusal.account}: {refusal.reason}")


def create(*, record: AnyRecord, actor: str) -> AnyRecord:
    """
    Return the new group, tag or rule.

    Raises:
        ValidationError: A value cannot be.
        Conflict: One of this name is there already.
    """
    with transaction.atomic():
        _refuse_second(record)
        record.full_clean(validate_unique=False)
        _save(record)
        _note(record, "create", actor)
    rules.forget()
    return record


def edit(*, record: AnyRecord, values: Mapping[str, Any], actor: str) -> AnyRecord:
    """
    Return the group, tag or rule as it is then. See `create`.

    The accounts of a group begin anew with another interval of it.
    """
    with transaction.atomic():
        changed = _assigned(record, values)
        if not changed:
            return record
        if "name" in changed:
            _refuse_second(record)
        record.full_clean(validate_unique=False)
        record.save(update_fields=changed)
        _note(record, "edit", actor, changed)
        if set(changed) & set(INTERVALS) and isinstance(record, AccountGroup):
            roster.request_snapshots(accounts=Account.objects.filter(group=record))
    rules.forget()
    return record


def delete(*, record: AccountGroup | Tag | Rule, actor: str) -> None:
    """
    Delete a group, a tag or a rule.

    Raises:
        Conflict: The group still has accounts.
    """
    with transaction.atomic():
        if isinstance(record, AccountGroup) and record.accounts.exists():
            raise Conflict(_("group %(name)s still has accounts") % {"name": record})
        _note(record, "delete", actor)
        record.delete()
    rules.forget()


def _assigned(record: Model, values: Mapping[str, Any]) -> list[str]:
    """Set these values; return the columns of which that changed something."""
    changed = [name for name, value in values.items() if getattr(record, name) != value]
    for name in changed:
        setattr(record, name, values[name])
    return changed


def _refuse_second(record: AccountGroup | Tag | Rule) -> None:
    """Raise Conflict when the record's name is taken; rules may share one."""
    if isinstance(record, Rule):
        return
    others = type(record)._default_manager.exclude(pk=record.pk)  # noqa: SLF001  Django's public name
    if others.filter(name=record.name).exists():
        raise Conflict(_("%(name)s is there already") % {"name": record.name})


def _save(record: Model) -> None:
    try:
        with transaction.atomic():
            record.save(force_insert=True)
    except IntegrityError as e:
        # Another process was faster than our look.
        raise Conflict(_("%(record)s is there already") % {"record": record}) from e


def _group(name: str) -> AccountGroup | None:
    if not name:
        return None
    group = AccountGroup.objects.filter(name=name).first()
    if group is None:
        raise ValidationError({"group": _("there is no group of this name")})
    return group


def _tags(names: Iterable[str]) -> list[Tag]:
    """Return the tags of these names; those that are missing are made."""
    wanted = set(names)
    Tag.objects.bulk_create((Tag(name=name) for name in sorted(wanted)), ignore_conflicts=True)
    return list(Tag.objects.filter(name__in=wanted))


def _note(
    record: AccountGroup | Tag | Rule, action: str, actor: str, columns: Iterable[str] = ()
) -> None:
    account = record.account if isinstance(record, Rule) else None
    about = f"{record._meta.model_name} {record}"  # noqa: SLF001  Django's public name
    detail = f"{about}: {_named(columns)}" if columns else about
    audit.note(actor=actor, action=action, account=account, detail=detail)


def _named(columns: Iterable[str]) -> str:
    return ", ".join("password" if name == "sealed_password" else name for name in columns)


def reasons(error: ValidationError) -> dict[str, list[str]]:
    """Return what Django found wrong, by column; empty for the record as a whole."""
    if not hasattr(error, "error_dict"):
        return {"": error.messages}
    return {
        "" if name == NON_FIELD_ERRORS else name: found
        for name, found in error.message_dict.items()
    }
