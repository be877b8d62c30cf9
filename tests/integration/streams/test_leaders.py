"""Leaders that hand over: on one server, which cannot, and on three."""

from __future__ import annotations

import pytest
from django.utils import timezone

from streams import services
from streams.core.errors import BrokerAway, Guarded
from streams.models import Advisory, BrokerAct, Stream, StreamConsumer
from streams.services import advisories, leaders
from tests.servers.process import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

NOW = timezone.now()


def api(verb, body=None):
    return services.link().api(verb, body)


def leader(name):
    kind = "CONSUMER" if "." in name else "STREAM"
    return (api(f"{kind}.INFO.{name}").get("cluster") or {}).get("leader")


def handed_over(name, before):
    def other():
        try:
            return leader(name) not in (before, None, "")
        except BrokerAway:
            return False  # Nobody leads at the moment.

    wait_until(other, 20, f"another leader of {name} than {before}")


def test_on_three_servers_each_leader_hands_over_and_tells(linked_cluster):
    advisories.collect(now=NOW)
    api("STREAM.CREATE.LED", {"name": "LED", "subjects": ["led"], "num_replicas": 3})
    worker = {"durable_name": "worker", "ack_policy": "explicit"}
    api("CONSUMER.CREATE.LED.worker", {"stream_name": "LED", "config": worker})
    row = Stream.objects.create(name="LED", policy="protect")
    StreamConsumer.objects.create(stream=row, name="worker")
    of_stream, of_consumer = leader("LED"), leader("LED.worker")

    leaders.step_down(stream="LED", actor="anna")
    handed_over("LED", of_stream)
    leaders.step_down_consumer(stream="LED", consumer="worker", actor="anna")
    handed_over("LED.worker", of_consumer)
    leaders.step_down_meta(actor="anna")

    acts = BrokerAct.objects.filter(action="step_down").order_by("id")
    assert [(act.kind, act.name) for act in acts] == [
        ("stream", "LED"), ("consumer", "LED/worker"), ("cluster", "meta"),
    ]  # fmt: skip
    assert acts[0].before == {"leader": of_stream}
    told = Advisory.objects.filter(kind="stream_leader_elected", stream="LED")
    wait_until(lambda: collected() and told.count() >= 2, 20, "the elections were told")
    assert api(f"STREAM.INFO.{advisories.STREAM}")["config"]["num_replicas"] == 3


def collected():
    try:
        advisories.collect(now=NOW)
    except BrokerAway:
        return False
    return True


def test_what_has_one_copy_has_nobody_to_hand_over_to(linked_cluster):
    api("STREAM.CREATE.ALONE", {"name": "ALONE", "subjects": ["alone"]})
    Stream.objects.create(name="ALONE")

    with pytest.raises(Guarded, match="nobody"):
        leaders.step_down(stream="ALONE", actor="anna")


def test_a_single_server_says_so(broker, make_stream):
    make_stream("SINGLE", subjects=["single"])
    worker = {"durable_name": "worker", "ack_policy": "explicit"}
    api("CONSUMER.CREATE.SINGLE.worker", {"stream_name": "SINGLE", "config": worker})
    StreamConsumer.objects.create(stream=Stream.objects.create(name="SINGLE"), name="worker")

    with pytest.raises(Guarded, match="single server"):
        leaders.step_down(stream="SINGLE", actor="anna")
    with pytest.raises(Guarded, match="single server"):
        leaders.step_down_consumer(stream="SINGLE", consumer="worker", actor="anna")

    assert not BrokerAct.objects.exists()


def test_what_is_only_observed_is_left_alone(broker):
    Stream.objects.create(name="WATCHED", policy="observe")

    with pytest.raises(Guarded, match="observe"):
        leaders.step_down(stream="WATCHED", actor="anna")
