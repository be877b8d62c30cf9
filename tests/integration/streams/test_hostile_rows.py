"""Rows that no form would write, as a hand in the database may have left them."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from streams import services
from streams.models import BrokerUser, Cluster, Stream, StreamConsumer
from streams.services import brokerfiles, importing, servers, sync, templates

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

CONFIGS = [
    ["market.>"],
    "market.>",
    7,
    {"subjects": "market.>"},
    {"subjects": [7, None, {}]},
    {"subjects": 2**70},
    {"subjects": ["a..b", "x y"]},
    {"subjects": ["hostile.>"], "max_msgs": 2**70},
    {"subjects": ["hostile.>"], "max_age": -(2**70)},
    {"subjects": ["hostile.>"], "metadata": ["_nats"]},
    {"subjects": ["hostile.>"], "sources": {"name": 3}},
    {"subjects": ["hostile.>"], "mirror": ["x"]},
    {"subjects": ["hostile.>"], "placement": "here"},
]


@pytest.fixture(autouse=True)
def only_hostile_rows():
    Stream.objects.all().delete()


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_a_configuration_that_cannot_be_is_told_and_harms_nothing_else(
    broker, config, admin_client: Client
):
    row = Stream.objects.create(name="HOSTILE", config=config)
    StreamConsumer.objects.create(stream=row, name="hostile", config=config)
    BrokerUser.objects.create(
        cluster=Cluster.objects.get(name="tickplane"), name="reader", subjects=["market.>"],
        password_hash="$2b$", role="consumer",
    )  # fmt: skip

    plan = sync.plan()
    (item,) = (item for item in plan.items if item.kind == "stream")
    assert (item.action, bool(item.reasons)) == ("refused", True)
    services.keep_streams(now=timezone.now())
    importing.accept(names=["HOSTILE"], actor="me")
    templates.rows()
    templates.uncovered()
    brokerfiles.export_file()
    assert servers.orders(name="tickplane", fixed={}) is not None
    for path in (
        "streams/stream/",
        "streams/streamconsumer/",
        "streams/stream/plan/",
        f"streams/stream/{row.pk}/change/",
        f"streams/stream/{row.pk}/messages/",
        f"streams/stream/{row.pk}/publish/",
        "streams/brokeruser/",
    ):
        answer = admin_client.get(f"/admin/{path}")
        assert answer.status_code == 200, path
