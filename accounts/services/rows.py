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
    with rows times columns. Values are numbers, texts, moments and None: nothing that a field would
    have to prepare.

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
    attributes = [named[name].attname for name in columns]
    assignments = [f"{quote(attribute)} = %s" for attribute in attributes]
    assignments += [
        f"{quote(named[name].attname)} = {sql}" for name, sql in (instead or {}).items()
    ]
    conditions = ["id = %s", *(f"{quote(named[name].attname)} = %s" for name in guards)]
    table = quote(Account._meta.db_table)  # noqa: SLF001
    statement = f"UPDATE {table} SET {', '.join(assignments)} WHERE {' AND '.join(conditions)}"  # noqa: S608  no value in it
    adapted = connection.ops.adapt_datetimefield_value
    rows = [
        [
            adapted(value) if isinstance(value, datetime) else value
            for value in (
                *(getattr(account, attribute) for attribute in attributes),
                *(extra[index] if extra else ()),
                account.pk,
                *(values[index] for values in guards.values()),
            )
        ]
        for index, account in enumerate(accounts)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)
