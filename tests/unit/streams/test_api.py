"""REST of the records that needs no NATS."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from controlplane import access
from streams.models import (
    Advisory,
    Backup,
    BrokerAct,
    BrokerUser,
    Cluster,
    Node,
    Stream,
    StreamConsumer,
    TlsFiles,
)
from streams.services import metering

pytestmark = pytest.mark.django_db

ROOT = "/api/v1/broker"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def declared():
    # Transactional tests elsewhere may have emptied what the migrations declared.
    cluster, _ = Cluster.objects.get_or_create(name="tickplane")
    Node.objects.get_or_create(name="tickplane", defaults={"cluster": cluster})
    Stream.objects.get_or_create(
        name="MARKET_DATA", defaults={"config": {"subjects": ["market.>"]}}
    )


@pytest.fixture
def boss(client):
    client.force_login(User.objects.create_superuser("boss"))
    return client


def post(client, path, body, **headers):
    return client.post(f"{ROOT}/{path}", body, content_type="application/json", **headers)


def patch(client, path, body):
    return client.patch(f"{ROOT}/{path}", body, content_type="application/json")


def said(answer):
    return answer.status_code, answer.json()["error"]


def test_a_stream_is_declared_changed_and_forgotten(boss):
    made = post(boss, "streams", {"name": "ORDERS", "config": {"subjects": ["orders.>"]}})
    changed = patch(boss, "streams/ORDERS", {"policy": "protect"})
    again = patch(boss, "streams/ORDERS", {"policy": "protect"})
    gone = boss.delete(f"{ROOT}/streams/ORDERS")

    assert made.status_code == 201
    assert made.json()["config"] == {"subjects": ["orders.>"]}
    assert (changed.json()["policy"], again.status_code, gone.status_code) == ("protect", 200, 204)
    acts = BrokerAct.objects.order_by("id").values_list("actor", "action", "kind", "name")
    assert list(acts) == [
        ("boss", "create", "stream", "ORDERS"),
        ("boss", "edit", "stream", "ORDERS"),
        ("boss", "delete", "stream", "ORDERS"),
    ]
    edit = BrokerAct.objects.get(action="edit")
    assert edit.before
    assert edit.after
    assert (edit.before["policy"], edit.after["policy"]) == ("manage", "protect")
    assert boss.get(f"{ROOT}/streams/ORDERS").status_code == 404


def test_what_a_stream_cannot_be_is_told_field_by_field(boss):
    config = {"subjects": ["orders.>"], "max_age": "1h", "retention": "for ever"}

    answer = post(boss, "streams", {"name": "ORDERS", "config": config})

    assert answer.status_code == 400
    assert {"config.max_age", "config.retention"} <= answer.json()["fields"].keys()
    assert not Stream.objects.filter(name="ORDERS").exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "ORDERS", "configuration": {}}, "configuration"),
        ({"name": "A.B", "config": {}}, "name"),
        ({"name": "ORDERS", "config": {"name": "OTHER", "subjects": ["a"]}}, "config.name"),
        ({"name": "ORDERS", "policy": "sometimes"}, "policy"),
        ({"name": "ORDERS", "config": []}, "config"),
        ({"name": "ORDERS", "config": {"x": "\0"}}, "config"),
        ({"name": "ORDERS", "config": {"x": 2**64}}, "config"),
        ({"name": "ORDERS", "config": {"x": [[[[[[[[[1]]]]]]]]]}}, "config"),
        ({"name": "ORDERS", "config": {"x": "y" * 70_000}}, "config"),
        ({"config": {}}, "name"),
    ],
)
def test_a_bad_body_names_its_field(boss, body, field):
    answer = post(boss, "streams", body)

    assert answer.status_code == 400
    assert field in answer.json()["fields"]


def test_names_are_taken_once(boss):
    body = {"name": "MARKET_DATA", "config": {"subjects": ["a"]}}

    assert said(post(boss, "streams", body)) == (409, "MARKET_DATA is there already")


def test_consumers_belong_to_their_stream(boss):
    made = post(boss, "streams/MARKET_DATA/consumers", {"name": "desk"})
    wrong = post(
        boss, "streams/MARKET_DATA/consumers", {"name": "x", "config": {"ack_policy": "perhaps"}}
    )
    listed = boss.get(f"{ROOT}/streams/MARKET_DATA/consumers?q=des&standing=unknown").json()
    patch(boss, "streams/MARKET_DATA/consumers/desk", {"config": {"ack_policy": "all"}})

    assert (made.status_code, made.json()["stream"]) == (201, "MARKET_DATA")
    assert "config.ack_policy" in wrong.json()["fields"]
    assert [row["name"] for row in listed["results"]] == ["desk"]
    assert StreamConsumer.objects.get().config == {"ack_policy": "all"}
    assert post(boss, "streams/NOWHERE/consumers", {"name": "a"}).status_code == 404
    assert boss.delete(f"{ROOT}/streams/MARKET_DATA/consumers/desk").status_code == 204


def test_lists_are_filtered_paged_and_refuse_filters_they_do_not_know(boss):
    for number in range(3):
        Stream.objects.create(name=f"X{number}", policy="observe")

    page = boss.get(f"{ROOT}/streams?policy=observe&pageSize=2").json()
    unknown = boss.get(f"{ROOT}/streams?polcy=observe")

    assert (page["count"], len(page["results"])) == (3, 2)
    assert "polcy" in unknown.json()["fields"]


def test_a_users_password_is_told_once_and_its_hash_never(boss):
    asked = {"name": "writer", "cluster": "tickplane", "role": "producer", "subjects": ["a.>"]}

    made = post(boss, "users", asked)
    row = BrokerUser.objects.get()
    rotated = post(boss, f"users/{row.pk}/rotate", {})
    told = [made.json()["password"], rotated.json()["password"]]
    everything = "".join(
        boss.get(f"{ROOT}/{path}").content.decode()
        for path in ("users", f"users/{row.pk}", "audit")
    )

    assert made.status_code == 201
    assert made["Cache-Control"] == "no-store"
    assert rotated["Cache-Control"] == "no-store"
    assert len(set(told)) == 2
    row.refresh_from_db()
    assert not any(secret in everything for secret in (*told, row.password_hash, "$2b$"))
    assert made.json()["hasPassword"] is True


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "w", "cluster": "nowhere"}, "cluster"),
        ({"name": "w", "cluster": "tick\0plane"}, "cluster"),
        ({"name": "w", "cluster": 7}, "cluster"),
        ({"name": "w", "cluster": "tickplane", "role": "king"}, "role"),
        ({"name": "w", "cluster": "tickplane", "role": "producer", "subjects": []}, "subjects"),
        (
            {"name": "w", "cluster": "tickplane", "role": "producer", "subjects": ["a..b"]},
            "subjects",
        ),
        ({"name": "w", "cluster": "tickplane", "password": "mine"}, "password"),
    ],
)
def test_a_user_that_cannot_be_is_refused_by_field(boss, body, field):
    answer = post(boss, "users", body)

    assert answer.status_code == 400
    assert field in answer.json()["fields"]
    assert not BrokerUser.objects.exists()


def test_a_name_of_ours_is_nobody_elses(boss):
    asked = {"name": "system", "cluster": "tickplane", "role": "producer", "subjects": ["a"]}

    answer = post(boss, "users", asked)

    assert said(answer) == (409, "system is a user of Tickplane itself")
    assert not BrokerUser.objects.exists()


def test_clusters_are_declared_by_the_rules_of_the_admin(boss):
    made = post(boss, "clusters", {"name": "desk", "maxPayload": "2MB"})
    wrong = patch(boss, "clusters/desk", {"maxPayload": "much", "natsPort": 0})
    login = patch(boss, "clusters/desk", {"clusterRoutes": ["nats-route://u:hush@node2:6222"]})
    fits = patch(boss, "clusters/desk", {"clusterRoutes": ["nats-route://node2:6222"]})

    assert (made.status_code, made.json()["maxPayload"]) == (201, "2MB")
    assert "natsPort" in wrong.json()["fields"]
    size = patch(boss, "clusters/desk", {"maxPayload": "much"})
    assert "maxPayload" in size.json()["fields"]
    assert login.status_code == 400
    assert "hush" not in login.content.decode()
    assert fits.json()["clusterRoutes"] == ["nats-route://node2:6222"]


def test_a_login_in_an_address_that_was_kept_is_never_shown(boss):
    Cluster.objects.create(
        name="old",
        cluster_routes=["nats-route://u:hush@node2:6222"],
        nats_url="nats://u:hush@node2:4222",
    )

    shown = boss.get(f"{ROOT}/clusters/old").content.decode()
    patch(boss, "clusters/old", {"natsUrl": "", "maxPayload": "2MB"})
    written = boss.get(f"{ROOT}/audit").content.decode()

    assert "node2" in shown
    assert "hush" not in shown + written
    assert Cluster.objects.get(name="old").cluster_routes == ["nats-route://u:hush@node2:6222"]


def test_nodes_are_declared_restarted_and_deleted(boss):
    made = post(boss, "nodes", {"name": "n2", "cluster": "tickplane", "natsPort": 4223})
    restarted = post(boss, "nodes/n2/restart", {})
    enabled = boss.delete(f"{ROOT}/nodes/n2")
    patch(boss, "nodes/n2", {"enabled": False})
    gone = boss.delete(f"{ROOT}/nodes/n2")
    own = boss.delete(f"{ROOT}/nodes/tickplane")

    assert (made.status_code, made.json()["natsPort"]) == (201, 4223)
    assert restarted.status_code == 202
    assert said(enabled) == (409, "node n2 is enabled; disable it first")
    assert gone.status_code == 204
    assert own.status_code == 409
    assert boss.delete(f"{ROOT}/clusters/tickplane").status_code == 409


def test_tls_files_that_are_used_stay(boss):
    files = {"name": "desk", "certFile": "/a", "keyFile": "/b", "caFile": "/c", "verify": True}
    made = post(boss, "tls", files)
    patch(boss, "clusters/tickplane", {"clientTls": "desk"})

    used = boss.delete(f"{ROOT}/tls/desk")
    patch(boss, "clusters/tickplane", {"clientTls": None})
    gone = boss.delete(f"{ROOT}/tls/desk")

    assert (made.status_code, made.json()["verify"]) == (201, True)
    assert (used.status_code, gone.status_code) == (409, 204)
    assert not TlsFiles.objects.exists()


def test_templates_are_edited_and_put_back(boss):
    put = boss.put(
        f"{ROOT}/templates/trade",
        {"template": "market.{symbol}.{exchange}.deal"},
        content_type="application/json",
    )
    nowhere = boss.put(
        f"{ROOT}/templates/trade",
        {"template": "md.{symbol}.{exchange}"},
        content_type="application/json",
    )
    back = boss.delete(f"{ROOT}/templates/trade")
    listed = boss.get(f"{ROOT}/templates").json()["templates"]

    assert put.json()["pattern"] == "market.*.*.deal"
    assert nowhere.status_code == 400
    assert "no declared stream stores md.*.*" in nowhere.json()["fields"]["trade"][0]
    assert back.status_code == 204
    assert [row["template"] for row in listed if row["dataType"] == "trade"] == [
        "market.{exchange}.{symbol}.{type}"
    ]
    assert boss.get(f"{ROOT}/templates/candle").status_code == 404


def test_what_happened_is_listed_newest_first(boss):
    for number in range(3):
        Advisory.objects.create(event_id=str(number), at=NOW, kind="stream_action", stream="A")
        BrokerAct.objects.create(at=NOW, actor="a", action="x", kind="stream", name=str(number))
        Backup.objects.create(stream="A", at=NOW, actor="a", file=f"{number}")

    acts = boss.get(f"{ROOT}/audit?kind=stream&pageSize=2").json()
    events = boss.get(f"{ROOT}/advisories?stream=A&since=2025-12-31T00:00:00Z").json()
    backups = boss.get(f"{ROOT}/backups?stream=A&state=running").json()

    assert [act["name"] for act in acts["results"]] == ["2", "1"]
    assert boss.get(acts["next"]).json()["results"][0]["name"] == "0"
    assert [event["eventId"] for event in events["results"]] == ["2", "1", "0"]
    assert len(backups["results"]) == 3
    late = boss.get(f"{ROOT}/audit?since=9999-12-31T23:59:59-12:00")
    assert late.status_code == 400


YAML = """
message-broker-service:
  nats:
    max_payload: "2MB"
    streams:
      CUSTOM_STREAM: {subjects: ["custom.>"], retention: "limits", max_age: 7200, storage: "file"}
"""


def take(client, text, query=""):
    data = text if isinstance(text, bytes) else text.encode()
    return client.post(f"{ROOT}/file/import{query}", data, content_type="application/yaml")


def test_a_file_is_tried_taken_and_written_again(boss):
    tried = take(boss, YAML, "?dryRun=true").json()
    assert not Stream.objects.filter(name="CUSTOM_STREAM").exists()
    taken = take(boss, YAML).json()
    written = boss.get(f"{ROOT}/file")

    assert (tried["dryRun"], tried["items"]) == (True, taken["items"])
    assert {"kind": "stream", "name": "CUSTOM_STREAM", "action": "created", "fields": []} in (
        taken["items"]
    )
    assert Cluster.objects.get(name="tickplane").max_payload == "2MB"
    assert written["Content-Type"].startswith("application/yaml")
    assert "CUSTOM_STREAM" in written.content.decode()
    assert {item["action"] for item in take(boss, written.content).json()["items"]} == {"unchanged"}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "file"),
        (b"\xff\xfe", "UTF-8"),
        ("a: [", "line"),
        ("other-service: {}", "other-service"),
        ("message-broker-service: {nats: {nats_port: many}}", "nats_port"),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_the_place(boss, text, word):
    answer = take(boss, text)

    assert answer.status_code == 400
    assert word in answer.json()["error"]
    assert boss.get(f"{ROOT}/file?cluster=nowhere").status_code == 404


@pytest.mark.parametrize(
    "path", ["clusters", "nodes", "users", "tls", "streams", "audit", "advisories", "backups"]
)
def test_reading_takes_staff_with_the_right(client, path):
    stranger = client.get(f"{ROOT}/{path}").status_code
    client.force_login(User.objects.create_user("reader"))
    reader = client.get(f"{ROOT}/{path}").status_code
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    clerk = client.get(f"{ROOT}/{path}").status_code
    helper = User.objects.create_user("helper", is_staff=True)
    rights = Permission.objects.filter(content_type__app_label="streams", codename__regex="^view")
    helper.user_permissions.set(rights)
    client.force_login(helper)

    assert (stranger, reader, clerk) == (403, 403, 403)
    assert client.get(f"{ROOT}/{path}").status_code == 200
    assert post(client, path, {}).status_code in (403, 405)


@pytest.mark.parametrize(
    ("scope", "reads", "writes"),
    [("streams:read", 200, 403), ("streams:write", 403, 201), ("accounts:write", 403, 403)],
)
def test_a_token_reaches_as_far_as_its_scope(client, scope, reads, writes):
    _token, secret = access.create(
        user=User.objects.create_superuser("boss"),
        name="test",
        scopes=[scope],
        expires_at=None,
        actor="test",
        now=timezone.now(),
    )
    shown = {"HTTP_AUTHORIZATION": f"Bearer {secret}"}

    read = client.get(f"{ROOT}/streams", **shown).status_code
    written = post(client, "streams", {"name": "A", "config": {"subjects": ["a"]}}, **shown)

    assert (read, written.status_code) == (reads, writes)
    if written.status_code == 201:
        assert BrokerAct.objects.get(kind="stream").actor.startswith("boss (tp_")


def test_throughput_of_a_server_that_is_away_is_not_invented(settings):
    settings.NATS_MONITOR_URL = "http://127.0.0.1:9"

    assert metering.throughput() is None
