"""
Celery's way in: beat calls `tick` each second, which sends one task for each shard, and `prune`
each hour.
"""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from accounts import services
from accounts.services import history

# A visit that waited longer than its own period is stale: the next one does its work.
STALE_S = 2


@shared_task(name="accounts.tick")
def tick(**_: object) -> None:
    for shard in services.tick(now=timezone.now()):
        publish_shard.apply_async(kwargs={"shard": shard}, expires=STALE_S)


@shared_task(name="accounts.publish_shard")
def publish_shard(*, shard: int, **_: object) -> None:
    services.publish_shard(shard=shard, now=timezone.now())


@shared_task(name="accounts.prune")
def prune(**_: object) -> None:
    history.prune(now=timezone.now())
