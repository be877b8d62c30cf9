"""A node's rows and its supervisor together, with a real nats-server."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from django import db
from django.utils import timezone

from streams.models import Cluster, Node
from streams.services import servers
from streams.services.supervising import NodeKeeper
from tests.servers.process import free_port, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

WITHIN_S = 15


@pytest.fixture
def node(settings, tmp_path):
    settings.HOME = tmp_path
    Cluster.objects.update(nats_port=free_port(), http_port=free_port())
    return Node.objects.get(name="tickplane")


@pytest.fixture
def keeper(node):
    made = NodeKeeper(name="tickplane", environment={})
    yield made
    made.stop(now=timezone.now())


def until_it_runs(keeper):
    found: list[Any] = []

    def runs():
        found[:] = [keeper.look(now=timezone.now())]
        return found[0].state == "running"

    wait_until(runs, WITHIN_S, f"a running server; it is {found}")
    return found[0]


def exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_that_outlived_its_supervisor_ends_when_its_node_is_disabled(keeper):
    pid = until_it_runs(keeper).pid
    keeper.supervisor.close()
    Node.objects.update(enabled=False)

    after = NodeKeeper(name="tickplane", environment={})
    after.look(now=timezone.now())

    keeper.supervisor.look(None)  # It is its child, and a zombie until it is asked for.
    assert not exists(pid)
    assert Node.objects.get().state == "stopped"
    after.stop(now=timezone.now())


def test_one_wish_for_a_restart_is_one_restart_while_nothing_can_be_written(
    keeper, node, monkeypatch
):
    first = until_it_runs(keeper)

    def read_only(**_):
        raise db.OperationalError("cannot execute UPDATE in a read-only transaction")

    monkeypatch.setattr(servers, "note_standing", read_only)
    servers.request_restart(node=node, actor="boss")
    wait_until(
        lambda: keeper.look(now=timezone.now()).restarts == 1, WITHIN_S, "the server restarts"
    )
    second = until_it_runs(keeper)
    for _ in range(5):
        keeper.look(now=timezone.now())
    third = until_it_runs(keeper)

    assert first.pid != second.pid
    assert (third.pid, third.restarts) == (second.pid, 1)


def test_what_was_changed_while_the_server_died_is_what_it_comes_back_with(keeper):
    first = until_it_runs(keeper)
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: keeper.supervisor.pid is None, WITHIN_S, "it ends")
    Cluster.objects.update(max_connections=77)

    second = until_it_runs(keeper)

    assert second.restarts == 1
    assert second.digest == second.wanted_digest != first.digest
    assert keeper.supervisor.configuration.max_connections == 77
