"""Writes accounts as a CSV file that `importing` takes back; passwords are never in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.db.models import Prefetch, QuerySet

from accounts.core import roster
from accounts.models import Account, Tag

CHUNK = 500


def exported(*, accounts: QuerySet[Account]) -> Iterator[str]:
    """Return the lines of the file, the first of which names the columns."""
    found = (
        accounts.select_related("group")
        .prefetch_related(Prefetch("tags", Tag.objects.order_by("name")))
        .defer("state", "published", "bar", "trackers", "sealed_password")
    )
    return roster.written(map(_cells, found.iterator(chunk_size=CHUNK)))


def _cells(account: Account) -> Mapping[str, object]:
    plain = {name: getattr(account, name, None) for name in roster.WRITTEN}
    tags = roster.TAG_DELIMITER.join(tag.name for tag in account.tags.all())
    return {**plain, "tags": tags}
