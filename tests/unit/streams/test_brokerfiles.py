"""A YAML file into the records and out of them."""

from __future__ import annotations

import bcrypt
import pytest
from django.core.management import CommandError, call_command

from streams.core.errors import BadDefinition
from streams.models import BrokerAct, BrokerUser, Cluster, Node, Stream
from streams.services import brokerfiles, servers
from tests.unit.streams.test_brokerfile import EXAMPLE, WHOLE, nats

pytestmark = pytest.mark.django_db


def actions(report):
    return {(item.kind, item.name): item.action for item in report.items}


def take(text, **more):
    return brokerfiles.import_file(text=text, actor="anna", **more)


def test_the_contracts_example_becomes_records():
    report = take(EXAMPLE)

    assert actions(report) == {
        ("cluster", "tickplane"): "unchanged",
        ("stream", "CUSTOM_STREAM"): "created",
        ("stream", "CUSTOM_ANALYTICS"): "created",
        ("stream", "USER_EVENTS"): "created",
    }
    assert Stream.objects.get(name="USER_EVENTS").config["max_age"] == 3600 * 10**9
    assert BrokerAct.objects.filter(actor="anna", action="import", kind="stream").count() == 3


def test_all_settings_arrive_and_a_second_import_changes_nothing():
    take(WHOLE)

    second = take(WHOLE)

    assert set(actions(second).values()) == {"unchanged"}
    cluster = Cluster.objects.get(name="tickplane")
    assert (cluster.cluster_name, cluster.max_payload) == ("market", "1MB")
    assert cluster.client_tls is not None
    assert cluster.client_tls.verify is True
    user = BrokerUser.objects.get(name="producer")
    assert bcrypt.checkpw(b"producer_pass", user.password_hash.encode())
    text = str([(act.before, act.after, act.detail) for act in BrokerAct.objects.all()])
    assert "_pass" not in text
    assert "$2b$" not in text


def test_what_is_exported_is_imported_as_the_same():
    take(EXAMPLE)
    take(WHOLE)
    first = brokerfiles.export_file()

    report = take(first)

    assert set(actions(report).values()) == {"unchanged"}
    assert brokerfiles.export_file() == first
    assert "$2b$" not in first
    assert "_pass" not in first
    take(first, cluster="copy")
    assert brokerfiles.export_file(cluster="copy") == first
    # Its passwords are nowhere: its users wait for new ones.
    assert not BrokerUser.objects.filter(cluster__name="copy").exclude(password_hash="").exists()


def test_a_dry_run_says_the_same_and_changes_nothing():
    before = brokerfiles.export_file()

    dry = take(WHOLE, dry_run=True)

    assert (brokerfiles.export_file(), BrokerAct.objects.count()) == (before, 0)
    assert dry.items == take(WHOLE).items


def test_one_bad_value_stops_the_whole_import():
    before = brokerfiles.export_file()

    with pytest.raises(BadDefinition, match=r"nats\.users\.tickplane"):
        take(nats("nats_port: 1234, users: [{user: tickplane}]"))

    assert brokerfiles.export_file() == before


def test_what_a_file_does_not_say_stays():
    take(EXAMPLE)
    take(nats("streams: {USER_EVENTS: {max_msgs: 5}}"))

    config = Stream.objects.get(name="USER_EVENTS").config
    assert (config["max_msgs"], config["subjects"]) == (5, ["user.>"])
    assert Stream.objects.filter(name="CUSTOM_STREAM").exists()


def test_a_password_in_a_url_is_not_exported_and_not_lost():
    take(nats("nats_url: 'nats://me:hush@h:1', cluster_routes: ['nats-route://r:hush@n:2']"))

    text = brokerfiles.export_file()
    take(text)

    assert "hush" not in text
    cluster = Cluster.objects.get(name="tickplane")
    assert cluster.nats_url == "nats://me:hush@h:1"
    assert cluster.cluster_routes == ["nats-route://r:hush@n:2"]
    assert "hush" not in str(list(BrokerAct.objects.values()))


def test_a_hash_is_taken_as_it_is_and_a_bad_password_is_refused_by_name():
    given = servers.hashed("a-password")
    take(nats(f"users: [{{user: a, password: '{given}'}}]"))

    assert BrokerUser.objects.get(name="a").password_hash == given
    for bad in ("short", "x" * 73, "$2b$10$short"):
        with pytest.raises(BadDefinition, match=r"nats\.users\.a\.password") as refused:
            take(nats(f"users: [{{user: a, password: '{bad}'}}]"))
        assert bad not in str(refused.value)


def test_an_imported_configuration_is_what_the_node_runs():
    take(WHOLE)

    found = servers.node_configuration(node=Node.objects.get(name="tickplane"))

    assert [user.name for user in found.users] == ["tickplane", "consumer", "producer"]
    assert "$JS.API.CONSUMER.MSG.NEXT.MARKET_DATA.*" in found.users[1].permissions.publish_allow
    assert found.routes is not None
    assert len(found.routes.urls) == 2
    assert found.tls is not None
    assert servers.node_configuration(node=Node.objects.get(name="tickplane")) == found


def test_the_commands_read_and_write_files(tmp_path, capsys):
    file = tmp_path / "broker.yaml"
    file.write_text(WHOLE)

    call_command("import_broker", str(file), "--dry-run")
    assert "Nothing was changed" in capsys.readouterr().out
    call_command("import_broker", str(file))
    told = capsys.readouterr().out
    call_command("export_broker")

    assert "created   user tickplane/producer" in told
    assert "cluster_listen: 0.0.0.0:6222" in capsys.readouterr().out
    file.write_text(nats("x: 1"))
    for call in (
        ["import_broker", str(file)],
        ["import_broker", "/nowhere"],
        ["export_broker", "--cluster", "x"],
    ):
        with pytest.raises(CommandError):
            call_command(*call)
