"""Taking what NATS has into the records, against a real nats-server."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from streams import services
from streams.core.errors import BadDefinition
from streams.models import BrokerAct, Stream, StreamConsumer
from streams.services import advisories, importing, sync
from tests.integration.streams.conftest import create

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

# The server lists 256 at a time.
MANY = 300


@pytest.fixture(autouse=True)
def no_records():
    Stream.objects.all().delete()


def consumer(stream, name, **config):
    named = {"name": name, "ack_policy": "explicit", **config}
    body = {"stream_name": stream, "config": named}
    services.link().api(f"CONSUMER.CREATE.{stream}.{name}", body)


def imported(**more):
    return importing.import_streams(actor="boss", **more)


def test_more_streams_and_consumers_than_one_page_holds(own_broker):
    link = services.link()
    names = [f"MANY_{n:03}" for n in range(MANY)]
    for name in names:
        create(link, name, subjects=[name])
    durables = [f"c{n:03}" for n in range(MANY)]
    for name in durables:
        consumer("MANY_299", name, durable_name=name)

    done = imported()

    assert set(done.created) == {*names, *(f"MANY_299/{name}" for name in durables)}
    assert (Stream.objects.count(), StreamConsumer.objects.count()) == (MANY, MANY)
    assert not sync.plan().differs


def test_the_stream_of_our_own_is_nobodys_to_declare(own_broker):
    create(services.link(), "FOREIGN", subjects=["foreign"])
    advisories.collect(now=timezone.now())  # Makes the stream, and a durable consumer of it.

    assert sync.plan().undeclared == ("FOREIGN",)
    assert imported().created == ("FOREIGN",)
    assert sync.plan().undeclared == ()


def test_what_is_imported_is_observed_and_exactly_as_it_is(make_stream):
    made = make_stream("IMPORTED", subjects=["imported.>"], metadata={"team": "x"})["config"]
    consumer("IMPORTED", "durable", durable_name="durable", max_batch=9)
    consumer("IMPORTED", "passing")

    done = imported(names=["IMPORTED"])

    assert done.created == ("IMPORTED", "IMPORTED/durable")
    row = Stream.objects.get()
    assert (row.policy, row.standing, row.consumer_count) == ("observe", "in_sync", 2)
    assert row.config["metadata"] == {"team": "x"}
    assert "name" not in row.config
    assert row.config.items() <= {**made, "metadata": {"team": "x"}}.items()
    assert StreamConsumer.objects.get().config["max_batch"] == 9
    acts = BrokerAct.objects.order_by("id").values_list("actor", "action", "kind", "name")
    assert list(acts) == [
        ("boss", "import", "stream", "IMPORTED"),
        ("boss", "import", "consumer", "IMPORTED/durable"),
    ]
    assert {item.action for item in sync.plan(names=["IMPORTED"]).items} == {"in_sync"}


def test_what_has_a_record_is_left_as_it_is(make_stream):
    make_stream("IMPORTED", subjects=["imported.>"], max_msgs=9)
    Stream.objects.create(name="IMPORTED", config={"max_msgs": 7})
    consumer("IMPORTED", "durable", durable_name="durable")

    done = imported(names=["IMPORTED", "NOWHERE"], policy="protect")

    assert done.created == ("IMPORTED/durable",)
    assert (done.known, done.missing) == (("IMPORTED",), ("NOWHERE",))
    assert Stream.objects.get().config == {"max_msgs": 7}
    assert StreamConsumer.objects.get().policy == "protect"


def test_a_policy_that_is_none_is_refused():
    with pytest.raises(BadDefinition, match=r"^policy: "):
        imported(policy="destroy")


def test_the_command_says_what_it_did(make_stream):
    make_stream("IMPORTED", subjects=["imported.>"])
    out = StringIO()

    call_command("import_streams", "IMPORTED", stdout=out)
    with pytest.raises(CommandError, match="not in NATS: NOWHERE"):
        call_command("import_streams", "IMPORTED", "NOWHERE", stdout=out)

    assert out.getvalue() == "IMPORTED imported\nIMPORTED known already\n"
