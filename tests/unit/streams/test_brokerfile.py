from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.brokerfile import BrokerFile, FileUser, read, without_password, written
from streams.core.errors import BadDefinition
from streams.core.permissions import Permissions
from streams.core.serverconf import Tls

# The contract's own example.
EXAMPLE = """
message-broker-service:
  port: 8085
  auto_start_nats: true
  auto_create_streams: true
  nats:
    nats_port: 4222
    jetstream_max_memory: "1GB"
    streams:
      CUSTOM_STREAM: {subjects: ["custom.>"], retention: "limits", max_age: 7200, max_msgs: 500000, storage: "file"}
      CUSTOM_ANALYTICS: {subjects: ["analytics.>", "metrics.>"], retention: "workqueue", max_age: 86400, max_msgs: 1000000, storage: "memory"}
      USER_EVENTS: {subjects: ["user.>"], retention: "interest", max_age: 3600, max_msgs: 100000, storage: "file"}
"""  # noqa: E501
# All of its settings.
WHOLE = """
message-broker-service:
  nats:
    nats_port: 4222
    cluster_port: 6222
    http_port: 8222
    jetstream_enabled: true
    jetstream_max_memory: "1GB"
    jetstream_max_storage: "10GB"
    jetstream_max_streams: 100
    jetstream_max_consumers: 1000
    nats_url: "nats://127.0.0.1:4222"
    client_urls: ["nats://node1:4222", "nats://node2:4222"]
    data_dir: "data/nats"
    max_connections: 1000
    max_subscriptions: 1000
    max_payload: "1MB"
    write_deadline: "2s"
    ping_interval: "2m"
    max_pings_out: 2
    cluster_name: "market"
    cluster_listen: "0.0.0.0:6222"
    cluster_routes: ["nats-route://node2:6222", "nats-route://node3:6222"]
    users:
      - user: "producer"
        password: "producer_pass"
        permissions: {publish: ["market.>"]}
      - user: "consumer"
        password: "consumer_pass"
        permissions: {subscribe: ["market.>"]}
    tls: {cert_file: "/c.pem", key_file: "/k.pem", ca_file: "/ca.pem", verify: true}
"""


def nats(text):
    return f"message-broker-service: {{nats: {{{text}}}}}"


def test_the_contracts_example_is_read_as_it_is_meant():
    file = read(EXAMPLE)

    assert file.settings == {
        "service_port": 8085, "auto_start_nats": True, "auto_create_streams": True,
        "nats_port": 4222, "jetstream_max_memory": "1GB",
    }  # fmt: skip
    assert file.streams["CUSTOM_STREAM"] == {
        "subjects": ["custom.>"], "retention": "limits", "max_age": 7200 * 10**9,
        "max_msgs": 500_000, "storage": "file",
    }  # fmt: skip
    assert list(file.streams) == ["CUSTOM_STREAM", "CUSTOM_ANALYTICS", "USER_EVENTS"]


def test_every_setting_of_the_contract_is_known():
    file = read(WHOLE)

    assert (file.settings["cluster_host"], file.settings["cluster_port"]) == ("0.0.0.0", 6222)  # noqa: S104
    assert file.settings["cluster_routes"] == ["nats-route://node2:6222", "nats-route://node3:6222"]
    assert [(user.name, user.role, user.subjects) for user in file.users] == [
        ("producer", "producer", ("market.>",)),
        ("consumer", "consumer", ("market.>",)),
    ]
    assert file.tls == Tls("/c.pem", "/k.pem", "/ca.pem", verify=True)


@pytest.mark.parametrize("text", [EXAMPLE, WHOLE])
def test_what_is_written_is_read_as_the_same_but_for_passwords(text):
    file = read(text)
    users = tuple(msgspec.structs.replace(user, password="") for user in file.users)

    assert read(written(file)) == msgspec.structs.replace(file, users=users)
    assert "_pass" not in written(file)
    assert "_pass" not in repr(file) + repr(file.users)


NAMES = st.text("abcXYZ09-_", min_size=1, max_size=8)
SUBJECTS = st.lists(st.sampled_from(["a.>", "b.*.c", "d"]), max_size=3).map(tuple)
USERS = st.builds(
    FileUser,
    name=NAMES,
    role=st.sampled_from(["admin", "producer", "consumer"]),
    streams=st.lists(NAMES, max_size=2).map(tuple),
    enabled=st.booleans(),
) | st.builds(
    FileUser,
    name=NAMES,
    permissions=st.builds(
        Permissions,
        publish_allow=SUBJECTS, publish_deny=SUBJECTS,
        subscribe_allow=SUBJECTS, subscribe_deny=SUBJECTS,
    ),
)  # fmt: skip
FILES = st.builds(
    BrokerFile,
    users=st.lists(USERS, max_size=4, unique_by=lambda user: user.name).map(tuple),
    streams=st.dictionaries(
        NAMES,
        st.fixed_dictionaries(
            {"subjects": st.just(["x.>"])},
            optional={
                "max_age": st.integers(10**8, 2**62),
                "max_bytes": st.integers(1, 2**50),
                "allow_direct": st.booleans(),
            },
        ),
        max_size=3,
    ),
)


@given(FILES)
def test_any_file_comes_back_as_it_was_written(file):
    assert read(written(file)) == file


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("nats: {}", "nats"),
        ("message-broker-service: {prot: 1}", "prot"),
        ("message-broker-service: {port: '8085'}", "port"),
        ("message-broker-service: {port: true}", "port"),
        ("message-broker-service: {auto_start_nats: 1}", "auto_start_nats"),
        (nats("max_conections: 1"), "nats.max_conections"),
        (nats("nats_port: 70000"), "nats.nats_port"),
        (nats("max_payload: many"), "nats.max_payload"),
        (nats("ping_interval: -1"), "nats.ping_interval"),
        (nats("ping_interval: .inf"), "nats.ping_interval"),
        (nats("client_urls: one"), "nats.client_urls"),
        (nats("client_urls: [1]"), "nats.client_urls.0"),
        (nats("cluster_listen: 6222"), "nats.cluster_listen"),
        (nats("cluster_listen: 'a:6222', cluster_port: 6223"), "nats.cluster_listen"),
        (nats("users: [{user: a, permissions: {publish: ['a..b']}}]"), "nats.users.0.permissions"),
        (nats("users: [{user: a, permissions: {publsh: []}}]"), "nats.users.0.permissions.publsh"),
        (nats("users: [{user: a, password: 12345678}]"), "nats.users.0.password"),
        (nats("users: [{user: a}, {user: a}]"), "nats.users.1.user"),
        (nats("users: {a: {}}"), "nats.users"),
        (nats("tls: {cert_file: a}"), "nats.tls.key_file"),
        (nats("streams: {A: {subject: [a]}}"), "nats.streams.A.subject"),
        (nats("streams: {A: {subjects: [a], max_age: long}}"), "nats.streams.A.max_age"),
        (nats("streams: {A: {subjects: [a], retention: forever}}"), "nats.streams.A.retention"),
        (nats("streams: {'a.b': {subjects: [a]}}"), "nats.streams.a.b.name"),
        ("message-broker-service: {port: 1, port: 2}", "line 1"),
        ("a: &a [1]\nb: *a", "line 2"),
        ("{", "line 1"),
        ("!!python/object:os.system {}", "line 1"),
        ("", "file"),
        ("- 1", "file"),
        ("[" * 5000, "file"),
        ("? [a]\n: b", "line 1"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(text, where):
    with pytest.raises(BadDefinition) as refused:
        read(text)

    assert refused.value.field.startswith(where), refused.value


@given(st.text() | st.text().map(nats))
def test_any_text_is_a_file_or_refused(text):
    try:
        read(text)
    except BadDefinition:
        return


def test_a_refusal_shows_no_password():
    with pytest.raises(BadDefinition) as refused:
        read(nats("users: [{user: a, password: hush, passwort: hush}]"))

    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("nats://a:b@c:1", "nats://c:1"),
        ("nats://c:1", "nats://c:1"),
        ("", ""),
        ("nats-route://u:p@[::1]:1", "nats-route://[::1]:1"),
        ("nats://[broken:p@x", "nats://x"),
        ("nats://u:p/w@x:1", "nats://x:1"),
    ],
)
def test_urls_are_written_without_their_password(url, shown):
    assert without_password(url) == shown
