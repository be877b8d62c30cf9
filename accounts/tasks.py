"""
Celery's way in: beat calls `tick` each second, which sends one task for each shard; the others
keep house.
"""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from accounts import services
from accounts.core.errors import PublishError
from accounts.services import deadletters, history

logger = logging.getLogger(__name__)

# A visit that waited longer than its own period is stale: the next one does its work.
STALE_S = 2
# Between two runs of pruning, when there is much: the ticks go on meanwhile.
PAUSE_S = 5


@shared_task(name="accounts.tick")
def tick(**_: object) -> None:
    services.finish_undeploying(now=timezone.now())
    for shard in services.tick():
        publish_shard.apply_async(kwargs={"shard": shard}, expires=STALE_S)


@shared_task(name="accounts.publish_shard")
def publish_shard(*, shard: int, **_: object) -> None:
    services.publish_shard(shard=shard, now=timezone.now())


@shared_task(name="accounts.collect_dead_letters")
def collect_dead_letters(**_: object) -> None:
    try:
        deadletters.collect(now=timezone.now())
    except PublishError as e:
        logger.warning("no dead letters collected: %s", e)


@shared_task(name="accounts.prune")
def prune(**_: object) -> None:
    if not history.prune(now=timezone.now()).finished:
        prune.apply_async(countdown=PAUSE_S)
