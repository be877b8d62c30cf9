"""What the worker is told to run."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Max
from msgspec import structs

from pipeline.core.difference import begins_anew
from pipeline.core.errors import BadOption
from pipeline.core.spec import SourceSpec
from pipeline.models import DataSource
from streams.services import templates

logger = logging.getLogger(__name__)


def specs() -> list[SourceSpec]:
    """
    Return every enabled source, ready to run. One that cannot be is refused, and said once.

    Raises:
        BadDefinition: The subject templates cannot be: nobody would know where the data go.
    """
    texts = templates.active().texts
    found = []
    for source in DataSource.objects.filter(enabled=True).order_by("name"):
        try:
            found.append(structs.replace(source.spec(), templates=texts))
        except BadOption as e:
            _refuse(source, e)
    return found


def orders(*, sent: Iterable[SourceSpec], now: datetime) -> list[SourceSpec]:
    """
    Return what a worker should run from now on. Each source that it does not run yet, or has to
    begin anew, begins a new epoch: it will number its messages from 1.

    An epoch is greater than every one before, of any source, also of one that was deleted: two
    that publish to the same subject can be told apart. So it begins with the clock's seconds.

    Args:
        sent: What this worker was told last; nothing for one that has just begun.

    Raises:
        BadDefinition: See `specs`.
    """
    with transaction.atomic():
        wanted = specs()
        running = {spec.source_id: spec for spec in sent}
        changed = [s.source_id for s in wanted if begins_anew(running.get(s.source_id), s)]
        if not changed:
            return wanted
        highest = DataSource.objects.aggregate(highest=Max("epoch"))["highest"] or 0
        first = max(highest + 1, int(now.timestamp()))
        epochs = {source_id: first + number for number, source_id in enumerate(changed)}
        for source_id, epoch in epochs.items():
            DataSource.objects.filter(name=source_id).update(epoch=epoch)
    return [structs.replace(s, epoch=epochs.get(s.source_id, s.epoch)) for s in wanted]


def _refuse(source: DataSource, error: BadOption) -> None:
    told = str(error)[:200]
    if source.last_error != told:
        logger.error("%s cannot run: %s", source.name, told)
        DataSource.objects.filter(pk=source.pk).update(last_error=told)
