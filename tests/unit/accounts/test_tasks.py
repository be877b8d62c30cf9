from __future__ import annotations

import pytest
from django.conf import settings

from accounts import tasks
from accounts.models import Account, ShardLease
from controlplane.celery import app

pytestmark = pytest.mark.django_db


def test_beat_calls_a_task_that_exists():
    app.autodiscover_tasks(force=True)

    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= set(app.tasks)


def test_a_tick_sends_one_task_for_each_shard_that_goes_stale(monkeypatch):
    for number in (1, 2, 501):
        Account.objects.create(id=number, server="S", login=number, lifecycle="DEPLOYED")
    sent = []
    monkeypatch.setattr(tasks.publish_shard, "apply_async", lambda **options: sent.append(options))

    tasks.tick(unknown="argument")

    assert sent == [
        {"kwargs": {"shard": 0}, "expires": 2},
        {"kwargs": {"shard": 1}, "expires": 2},
    ]


def test_a_tick_without_accounts_sends_nothing(monkeypatch):
    monkeypatch.setattr(tasks.publish_shard, "apply_async", None)

    tasks.tick()


def test_a_shard_task_takes_arguments_that_it_does_not_know(monkeypatch):
    monkeypatch.setattr("accounts.services.outlets.ours", lambda: ())

    tasks.publish_shard(shard=3, fence=7)

    assert ShardLease.objects.get().shard == 3
