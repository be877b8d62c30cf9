"""Plan and apply, against a real nats-server."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from streams import services
from streams.core.errors import BadDefinition, PlanChanged
from streams.models import Backup, BrokerAct, Stream, StreamConsumer
from streams.services import importing, sync
from tests.integration.streams.conftest import fill

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

SECOND = 1_000_000_000
NAME = "SYNCED"


@pytest.fixture(autouse=True)
def records(broker, settings, tmp_path):
    """No records but those of the test; its streams go away by their names, however they came."""
    settings.HOME = tmp_path
    Stream.objects.all().delete()
    yield
    for name in {NAME, "SYNCED_B", "SYNCED_C"} & set(api("STREAM.NAMES").get("streams") or []):
        api(f"STREAM.DELETE.{name}")


def api(verb, body=None):
    return services.link().api(verb, body)


def declare(config=None, name=NAME, **more):
    config = {"subjects": [f"{name.lower()}.>"], **(config or {})}
    return Stream.objects.create(name=name, config=config, **more)


def redeclare(row, changes, *, anew=False):
    row.config = {**({} if anew else row.config), **changes}
    row.save(update_fields=["config"])


def apply(confirm=(), **more):
    planned = sync.plan(**more)
    return sync.apply(
        plan_hash=planned.hash,
        actor="boss",
        now=timezone.now(),
        confirm={name: name for name in confirm},
        **more,
    )


def outcomes(done):
    return [(item.name, item.action, item.outcome) for item in done.items]


def item_of(name=NAME):
    return next(item for item in sync.plan().items if item.name == name)


def live(name=NAME):
    return api(f"STREAM.INFO.{name}")["config"]


def alter(name=NAME, **changes):
    """Change a stream as somebody else would."""
    api(f"STREAM.UPDATE.{name}", {**live(name), **changes})


def test_a_declared_stream_and_its_consumer_are_created_as_planned():
    row = declare({"max_age": 60 * SECOND})
    StreamConsumer.objects.create(stream=row, name="reader", config={"ack_wait": 5 * SECOND})

    done = apply()

    assert outcomes(done) == [(NAME, "create", "done"), (f"{NAME}/reader", "create", "done")]
    row.refresh_from_db()
    assert row.applied == row.live == live()
    assert (row.standing, row.drift, row.last_error) == ("in_sync", [], "")
    reader = api(f"CONSUMER.INFO.{NAME}.reader")["config"]
    assert (reader["ack_wait"], reader["durable_name"]) == (5 * SECOND, "reader")
    assert not sync.plan(names=[NAME]).differs
    acts = BrokerAct.objects.order_by("id").values_list("actor", "action", "kind", "name")
    assert list(acts) == [
        ("boss", "create", "stream", NAME),
        ("boss", "create", "consumer", f"{NAME}/reader"),
    ]


def test_an_update_keeps_what_nobody_declared():
    row = declare()
    apply()
    alter(compression="s2", metadata={"team": "x"})
    redeclare(row, {"max_msgs": 7})

    planned = sync.plan(names=[NAME]).items[0]
    done = apply()

    assert planned.drift == ("metadata", "max_msgs", "compression")
    assert outcomes(done) == [(NAME, "update", "done")]
    assert (live()["compression"], live()["max_msgs"]) == ("s2", 7)
    assert live()["metadata"]["team"] == "x"
    act = BrokerAct.objects.latest("id")
    assert act.before is not None
    assert act.after is not None
    assert (act.before["max_msgs"], act.after["max_msgs"]) == (-1, 7)
    assert "max_msgs: -1 → 7" in act.detail


def test_drift_is_named_and_put_back():
    row = declare({"max_msgs": 7})
    apply()
    alter(max_msgs=9)

    found = item_of()
    done = apply()

    assert (found.standing, found.drift) == ("drifted", ("max_msgs",))
    assert outcomes(done) == [(NAME, "update", "done")]
    assert live()["max_msgs"] == 7
    row.refresh_from_db()
    assert row.standing == "in_sync"


def test_drift_can_be_agreed_to():
    row = declare({"max_msgs": 7})
    apply()
    alter(max_msgs=9, max_bytes=5000)

    assert importing.accept(names=[NAME], actor="boss") == (NAME,)

    row.refresh_from_db()
    assert row.config == {"subjects": ["synced.>"], "max_msgs": 9}
    assert item_of().action == "in_sync"


def test_a_plan_is_not_applied_once_anything_changed():
    declare({"max_msgs": 7})
    apply()
    alter(max_msgs=9)
    planned = sync.plan(names=[NAME])
    alter(max_msgs=10)

    with pytest.raises(PlanChanged):
        sync.apply(plan_hash=planned.hash, actor="boss", now=timezone.now(), names=[NAME])

    assert live()["max_msgs"] == 10


def test_what_loses_messages_needs_the_name_and_is_backed_up_first(broker):
    row = declare({"max_msgs": 100})
    apply()
    fill(broker, [("synced.a", b"%d" % n) for n in range(5)])
    redeclare(row, {"max_msgs": 2})

    found = item_of()
    unconfirmed = apply()
    before = api(f"STREAM.INFO.{NAME}")["state"]["messages"]
    done = apply(confirm=[NAME])

    assert (found.action, found.destructive) == ("update", True)
    assert outcomes(unconfirmed) == [(NAME, "update", "unconfirmed")]
    assert before == 5
    assert outcomes(done) == [(NAME, "update", "done")]
    assert api(f"STREAM.INFO.{NAME}")["state"]["messages"] == 2
    saved = Backup.objects.get(stream=NAME)
    assert (saved.messages, saved.actor, done.items[0].backup) == (5, "boss", saved.file)
    assert saved.file in BrokerAct.objects.filter(action="update").latest("id").detail


def test_without_its_backup_nothing_is_lost(broker, settings, tmp_path):
    row = declare({"max_msgs": 100})
    apply()
    fill(broker, [("synced.a", b"1"), ("synced.a", b"2")])
    redeclare(row, {"max_msgs": 1})
    # A file where the folder of backups would be.
    (tmp_path / "backups").write_text("")

    done = apply(confirm=[NAME])

    assert outcomes(done) == [(NAME, "update", "failed")]
    assert live()["max_msgs"] == 100
    assert api(f"STREAM.INFO.{NAME}")["state"]["messages"] == 2


def test_a_one_way_change_needs_the_name():
    row = declare({"storage": "memory"})
    apply()
    redeclare(row, {"deny_delete": True})

    assert outcomes(apply()) == [(NAME, "one_way", "unconfirmed")]
    assert live()["deny_delete"] is False
    done = apply(confirm=[NAME])
    assert outcomes(done) == [(NAME, "one_way", "done")]
    assert done.items[0].backup
    assert live()["deny_delete"] is True


def test_one_that_fails_does_not_stop_the_others():
    declare()
    declare({"subjects": ["synced.a"]}, name="SYNCED_B")
    declare({"num_replicas": 3}, name="SYNCED_C")

    done = apply()

    assert outcomes(done) == [
        (NAME, "create", "done"),
        ("SYNCED_B", "create", "failed"),
        ("SYNCED_C", "create", "failed"),
    ]
    assert "overlap" in Stream.objects.get(name="SYNCED_B").last_error


def test_what_cannot_be_changed_is_refused_and_nothing_is_made_anew(broker):
    row = declare({"storage": "file"})
    apply()
    fill(broker, [("synced.a", b"1")])
    redeclare(row, {"storage": "memory", "max_msgs": 7})

    found = item_of()

    assert found.action == "refused"
    assert apply(confirm=[NAME]).items == ()
    assert (live()["storage"], live()["max_msgs"]) == ("file", -1)
    assert api(f"STREAM.INFO.{NAME}")["state"]["messages"] == 1


def test_what_is_observed_or_protected_is_left_alone(broker):
    row = declare({"max_msgs": 100})
    apply()
    fill(broker, [("synced.a", b"1"), ("synced.a", b"2")])
    redeclare(row, {"max_msgs": 1})
    Stream.objects.update(policy="observe")
    observed = item_of().action, apply(confirm=[NAME]).items
    Stream.objects.update(policy="protect")
    protected = item_of().action, apply(confirm=[NAME]).items

    assert (observed, protected) == (("observed", ()), ("refused", ()))
    assert live()["max_msgs"] == 100


def test_a_consumer_is_updated_as_raw_json():
    row = declare()
    config = {"priority_policy": "overflow", "priority_groups": ["a"], "max_batch": 9}
    reader = StreamConsumer.objects.create(stream=row, name="reader", config=config)
    apply()
    redeclare(reader, {"description": "other"}, anew=True)

    done = apply()

    assert outcomes(done) == [(f"{NAME}/reader", "update", "done")]
    after = api(f"CONSUMER.INFO.{NAME}.reader")["config"]
    assert after["description"] == "other"
    assert (after["priority_policy"], after["max_batch"]) == ("overflow", 9)


def test_what_the_server_makes_otherwise_is_said(make_stream):
    make_stream("SYNCED_ORIGIN", allow_direct=False)
    declare({"subjects": None, "mirror": {"name": "SYNCED_ORIGIN"}, "mirror_direct": True})

    done = apply()

    assert outcomes(done) == [(NAME, "create", "done")]
    assert "mirror_direct: the server keeps" in done.items[0].reason


def test_streams_that_nobody_declared_are_named(make_stream):
    make_stream("SYNCED_FOREIGN")

    assert "SYNCED_FOREIGN" in sync.plan().undeclared
    with pytest.raises(BadDefinition, match="SYNCED_FOREIGN: not declared"):
        sync.plan(names=["SYNCED_FOREIGN"])


def run(*args):
    """Return the exit code of the command, and what it wrote."""
    out = StringIO()
    try:
        call_command("sync_streams", *args, stdout=out)
    except SystemExit as e:
        return e.code, out.getvalue()
    except CommandError as e:
        return e.returncode, str(e)
    return 0, out.getvalue()


def test_the_command_plans_applies_and_tells_by_its_exit_code():
    row = declare({"storage": "memory"})

    planned, text = run("--plan")
    code, answer = run("--plan", "--json")
    wrong, _ = run("--apply", "0123456789abcdef")
    done, told = run("--apply", json.loads(answer)["hash"])
    again, same = run("--plan", NAME)
    redeclare(row, {"deny_delete": True})
    risky, risk = run("--plan")
    line = next(line for line in risk.splitlines() if line.startswith("sync_streams"))
    unconfirmed, _ = run("--apply", line.split()[2])
    confirmed, _ = run(*line.split()[1:])

    assert (planned, code, wrong, done, again) == (1, 1, 2, 0, 0)
    assert f"+ stream {NAME}: create" in text
    assert json.loads(answer)["items"][0]["name"] == NAME
    assert told == f"stream {NAME}: create: done\n"
    assert "NATS is as declared." in same
    assert "deny_delete: false → true  [one way]" in risk
    assert (risky, unconfirmed, confirmed) == (1, 1, 0)


def test_the_command_agrees_to_drift():
    declare()
    apply()
    alter(max_bytes=5000)

    drifted, text = run("--plan")
    accepted, _ = run("--accept", NAME)

    assert (drifted, accepted, run("--plan")[0]) == (1, 0, 0)
    assert "max_bytes: 5000 (was -1)" in text


def test_the_command_names_what_is_not_declared():
    assert run("--plan", "NOWHERE") == (2, "names: NOWHERE: not declared")
