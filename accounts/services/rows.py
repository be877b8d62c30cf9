"""Writes many account rows at once, each with values of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import connection

from accounts.models import Account


def write(
    accounts: Iterable[Account],
    columns: Sequence[str],
    *,
    guards: Mapping[str, Sequence[object]],
    instead: Mapping[str, str] | None = None,
    extra: Sequence[Sequence[object]] | None = None,
) -> None:
    """
    Update these columns of each account, where its guards still hold.

    One prepared statement for all rows: a hundred times as fast as `bulk_update`, whose CASE grows
    with rows times columns.

    Args:
        guards: For each column that must be unchanged, the value it must have, by account.
        instead: For a column, the SQL that gives its value, with a %s for each of `extra`.
        extra: The additional values of `instead`, by account.
    """
    accounts = list(accounts)
    if not accounts:
        return
    quote = connection.ops.quote_name
    named = {f.name: f for f in Account._meta.concrete_fields}  # noqa: SLF001  Django's public name
    fields = [named[name] for name in columns]
    special = [named[name] for name in instead or {}]
    held = [named[name] for name in guards]
    assignments = [f"{quote(f.attname)} = %s" for f in fields]
    assignments += [f"{quote(f.attname)} = {(instead or {})[f.name]}" for f in special]
    conditions = ["id = %s", *(f"{quote(f.attname)} = %s" for f in held)]
    table = quote(Account._meta.db_table)  # noqa: SLF001
    statement = f"UPDATE {table} SET {', '.join(assignments)} WHERE {' AND '.join(conditions)}"  # noqa: S608  no value in it
    rows = [
        [
            *(f.get_db_prep_save(getattr(account, f.attname), connection) for f in fields),
            *(_prepared(value) for value in (extra[index] if extra else ())),
            account.pk,
            *(f.get_db_prep_save(guards[f.name][index], connection) for f in held),
        ]
        for index, account in enumerate(accounts)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)


def _prepared(value: object) -> object:
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value
