from __future__ import annotations

import bcrypt
import pytest

from streams.core.errors import BadDefinition
from streams.core.permissions import Permissions
from streams.core.serverconf import render
from streams.models import BrokerAct, BrokerUser, Cluster, Node, Stream, TlsFiles
from streams.services import servers

pytestmark = pytest.mark.django_db


@pytest.fixture
def node():
    return Node.objects.get(name="tickplane")


def rendered(**overrides):
    return servers.node_configuration(node=Node.objects.get(name="tickplane"), **overrides)


def test_the_same_rows_give_the_same_text(node):
    servers._derived_hash.cache_clear()
    first = render(rendered())
    servers._derived_hash.cache_clear()

    assert render(rendered()) == first
    (own,) = rendered().users
    assert bcrypt.checkpw(servers.admin_password().encode(), own.password_hash.encode())


def test_the_three_passwords_of_our_own_differ():
    own = {servers.admin_password(), servers.system_password(), servers.route_password()}

    assert len(own) == 3
    assert all(len(each) >= 32 for each in own)


def test_overrides_win_over_rows(node):
    assert rendered(port=4333, http_host="0.0.0.0").port == 4333  # noqa: S104


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("max_payload", "many"), ("write_deadline", "soon"), ("sync_interval", "never"),
        ("jetstream_max_storage", ""), ("cluster_routes", ["http://x:1"]),
        ("cluster_routes", ["nats-route://x"]), ("cluster_routes", ["nats-route://x:99999"]),
        ("max_payload", "0"), ("write_deadline", "0s"), ("ping_interval", "0"),
        ("max_pings_out", 0), ("max_connections", 0), ("lame_duck_duration", "29s"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_is_named(column, value):
    Cluster.objects.filter(name="tickplane").update(**{column: value})

    with pytest.raises(BadDefinition, match=column):
        rendered()


def user(name="eve", **columns):
    cluster = Cluster.objects.get(name="tickplane")
    given = {"password_hash": "$2b$", "subjects": ["market.>"]} | columns
    return BrokerUser.objects.create(cluster=cluster, name=name, **given)


def test_a_consumer_may_consume_the_streams_that_hold_its_subjects():
    Stream.objects.create(name="OTHER", config={"subjects": ["other.>"]})
    Stream.objects.create(name="MIRROR", config={"mirror": {"name": "OTHER"}})
    user(subjects=["market.okx.>", "system.*"])

    may = rendered().users[1].permissions

    consumed = {s.split(".")[-2] for s in may.publish_allow if s.startswith("$JS.API.CONSUMER.MSG")}
    assert consumed == {"MARKET_DATA", "SYSTEM_EVENTS"}
    assert may == servers.permissions_of(user=BrokerUser.objects.get(name="eve"))


def test_a_consumer_may_consume_the_streams_it_is_given_only():
    user(streams=["SERVICE_LOGS"])

    assert not any("MARKET_DATA" in each for each in rendered().users[1].permissions.publish_allow)


def test_a_custom_user_may_what_is_listed():
    user(role="custom", publish_allow=["a"], publish_deny=["b"], subscribe_allow=["c"])

    assert rendered().users[1].permissions == Permissions(("a",), ("b",), ("c",), ())


def test_who_is_disabled_or_has_no_password_cannot_log_in():
    user("gone", enabled=False)
    user("fresh", password_hash="")

    assert [each.name for each in rendered().users] == ["tickplane"]


@pytest.mark.parametrize("name", ["tickplane", "system", "route"])
def test_nobody_takes_a_name_of_ours(name):
    user(name)

    with pytest.raises(BadDefinition, match=name):
        rendered()


@pytest.mark.parametrize("subjects", ["market.>", ["a..b"], ["a b"], [1], {"a": 1}])
def test_subjects_that_are_none_are_refused(subjects):
    user(subjects=subjects, role="producer")

    if subjects == [1]:
        assert "1" in rendered().users[1].permissions.publish_allow
        return
    with pytest.raises(BadDefinition, match="user eve"):
        rendered()


def test_a_new_password_is_shown_once_and_kept_as_a_hash():
    row = user(password_hash="")

    password = servers.new_password(user=row, actor="anna")

    row.refresh_from_db()
    assert bcrypt.checkpw(password.encode(), row.password_hash.encode())
    assert row.password_hash.startswith("$2b$10$")
    (act,) = BrokerAct.objects.all()
    assert (act.actor, act.kind, act.name) == ("anna", "user", "tickplane/eve")
    assert password not in str((act.before, act.after, act.detail))


@pytest.mark.parametrize("password", ["", "short", "x" * 73, "ä" * 40, "zero\0byte", "\ud800" * 9])
def test_a_password_that_bcrypt_cannot_keep_is_refused(password):
    with pytest.raises(BadDefinition, match="password") as refused:
        servers.set_password(user=user(), password=password, actor="anna")

    assert not password or password not in str(refused.value)


def test_nodes_of_a_cluster_meet_each_other_and_the_further_routes(node):
    files = TlsFiles.objects.create(name="routes", cert_file="/c", key_file="/k", verify=True)
    Cluster.objects.filter(name="tickplane").update(
        cluster_routes=["nats-route://far:6222", "nats-route://me:own@near:6223"], route_tls=files
    )
    for name, enabled in (("n2", True), ("n3", False)):
        Node.objects.create(
            name=name, cluster=node.cluster, address=f"{name}.example", cluster_port=7222,
            enabled=enabled,
        )  # fmt: skip

    found = rendered()

    password = servers.route_password()
    assert found.routes is not None
    assert found.routes.urls == (
        f"nats-route://route:{password}@n2.example:7222",
        f"nats-route://route:{password}@far:6222",
        "nats-route://me:own@near:6223",
    )
    assert found.routes.tls is not None
    assert found.client_advertise == "127.0.0.1:4222"


def test_nodes_of_one_machine_share_no_folder(node):
    Cluster.objects.filter(name="tickplane").update(data_dir="/data")
    other = Node.objects.create(name="n2", cluster=node.cluster)

    one, two = rendered(), servers.node_configuration(node=other)

    assert {one.store_folder, two.store_folder} == {"/data/tickplane", "/data/n2"}
    assert one.pid_file != two.pid_file
    assert one.log_file != two.log_file


def test_a_restart_is_asked_for_and_written_down(node):
    servers.request_restart(node=node, actor="anna")
    servers.request_restart(node=node, actor="anna")

    found = servers.orders(name="tickplane", fixed={})

    assert found is not None
    assert found.restart == (2, 0)
    assert BrokerAct.objects.filter(action="restart", kind="node").count() == 2


def test_rows_that_make_no_configuration_say_why(node):
    Cluster.objects.filter(name="tickplane").update(max_payload="many")

    found = servers.orders(name="tickplane", fixed={})

    assert found is not None
    assert found.configuration is None
    assert "max_payload" in found.why_not
    assert servers.orders(name="nobody", fixed={}) is None


def test_the_node_of_standalone_is_declared_again_when_it_was_deleted(node):
    node.cluster.delete()

    place = servers.own_place()

    assert (place.name, place.port, place.starts) == ("tickplane", 4222, True)
    assert servers.admin_password() in place.url
    assert servers.admin_password() not in repr(place)


def test_servers_that_somebody_else_starts_are_reached_by_all_their_urls(node):
    Cluster.objects.filter(name="tickplane").update(
        auto_start_nats=False, nats_url="nats://u:p@one:4222", client_urls=["nats://two:4222"],
        service_port=8090,
    )  # fmt: skip

    place = servers.own_place()

    assert (place.starts, place.service_port) == (False, 8090)
    assert place.url == "nats://u:p@one:4222,nats://two:4222"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("role", "king"), ("subjects", 7), ("subjects", {"a": 1}), ("streams", [">"]),
        ("streams", ["*"]), ("streams", ["A.B"]), ("streams", 7),
    ],
)  # fmt: skip
def test_a_user_who_cannot_be_is_named_and_ends_no_supervisor(column, value):
    user(**{column: value})

    orders = servers.orders(name="tickplane", fixed={})

    assert orders is not None
    assert orders.configuration is None
    assert column in orders.why_not


@pytest.mark.parametrize("routes", [7, {"a": 1}, [7], [None], "nats-route://x:1"])
def test_routes_that_cannot_be_end_no_supervisor(routes):
    Cluster.objects.filter(name="tickplane").update(cluster_routes=routes)

    orders = servers.orders(name="tickplane", fixed={})
    assert orders is not None
    assert "cluster_routes" in orders.why_not


def test_a_stream_whose_row_cannot_be_takes_no_server_along():
    Stream.objects.create(name="A.>", config={"subjects": ["market.>"]})
    Stream.objects.create(name="NUMBERS", config={"subjects": [7, None]})
    Stream.objects.create(name="LIST", config=["market.>"])
    user()

    may = rendered().users[1].permissions

    assert {s.split(".")[-2] for s in may.publish_allow if ".MSG.NEXT." in s} == {"MARKET_DATA"}
