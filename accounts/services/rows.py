"""
Writes many account rows at once.

Everybody who writes or locks several of them does so in the order of their ids, so that no two wait
for each other: a database that finds them waiting in a circle fails one of them. An UPDATE alone
takes rows in whatever order it meets them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from accounts.models import Account


def locked(accounts: QuerySet[Account]) -> QuerySet[Account]:
    """Return the rows, which nobody else alters until the caller's transaction ends."""
    # Events and bars of other writers, which only need the row to be there, need not wait.
    return accounts.order_by("id").select_for_update(of=("self",), no_key=True)


def update(accounts: QuerySet[Account], **values: Any) -> int:
    """Give all these rows the same values; return how many there were."""
    with transaction.atomic(savepoint=False):
        ids = list(locked(accounts).values_list("pk", flat=True))
        return Account.objects.filter(pk__in=ids).update(**values) if ids else 0


def write(
    accounts: Iterable[Account],
    columns: Sequence[str],
    *,
    guards: Mapping[str, Sequence[object]],
    instead: Mapping[str, str] | None = None,
    extra: Sequence[Sequence[object]] | None = None,
) -> None:
    """
    Update these columns of each account, where its guards still hold, all or none.

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
    rows: list[list[Any]] = [
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
    # Behind the new values and the extra ones.
    place = len(attributes) + len((extra or [()])[0])
    rows.sort(key=lambda row: row[place])
    # Else each row would be a transaction of its own on SQLite.
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.executemany(statement, rows)
