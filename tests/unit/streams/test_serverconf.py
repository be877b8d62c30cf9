from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.broker.server import binary
from streams.core import permissions
from streams.core.permissions import Permissions
from streams.core.serverconf import NodeConfiguration, Routes, Tls, User, render

HASH = "$2b$04$DitWqSlSsm8Alk0Nz5mJRuV3HdAOoj3n7cOgwLgaC9w0EAA1GYzMS"
PLAIN = NodeConfiguration(
    name="n1",
    store_folder="/data",
    users=(User("tickplane", HASH, permissions.admin()),),
    system_hash=HASH,
)
replace = msgspec.structs.replace


def tried(c):
    """Return what nats-server itself says of this configuration."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nats.conf"
        path.write_text(render(c), encoding="utf-8")
        done = subprocess.run(
            [binary(), "-c", str(path), "-t"], capture_output=True, text=True, check=False
        )
    return done.stdout + done.stderr


def test_a_single_node_has_no_cluster_block():
    assert "cluster" not in render(PLAIN)
    assert "is valid" in tried(PLAIN)


def test_both_permissions_are_written_for_everybody():
    c = replace(PLAIN, users=(*PLAIN.users, User("none", HASH, Permissions())))

    text = render(c)

    assert text.count("publish {") == text.count("subscribe {") == 2
    assert 'publish { deny: [">"] }' in text
    assert "is valid" in tried(c)


def test_a_whole_cluster_node_is_valid():
    c = replace(
        PLAIN,
        host="::1",
        client_advertise="node1:4222",
        sync_interval_s=None,
        write_deadline_s=0.5,
        log_file="/nowhere/nats.log",
        pid_file="/nowhere/nats.pid",
        routes=Routes(
            "C", "0.0.0.0", 6222, ("nats-route://route:x@node2:6222",),  # noqa: S104
            password="x", advertise="node1:6222",
        ),
    )  # fmt: skip

    assert "is valid" in tried(c)


def test_certificates_are_named_as_they_are():
    tls = Tls("/a cert.pem", "/a key.pem", "/a ca.pem", verify=True)

    text = render(replace(PLAIN, tls=tls))

    assert 'cert_file: "/a cert.pem"' in text
    assert "verify: true" in text
    # The files are read at the check: a path that is wrong is found before it replaces a good one.
    assert "cert" in tried(replace(PLAIN, tls=tls))


def test_no_hash_or_password_is_shown_by_accident():
    routes = Routes("C", "127.0.0.1", 1, ("nats-route://route:hush@b:1",), password="hush")
    for shown in repr(replace(PLAIN, routes=routes)), repr(routes), repr(PLAIN.users):
        assert "hush" not in shown
        assert HASH not in shown


# Lone surrogates are no text that a file can hold.
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
NASTY = st.one_of(
    TEXTS,
    st.sampled_from(
        [
            '" } users: [ {user: x, password: y} ] #',
            "\\",
            '\\"',
            "$HOME",
            "${HOME}",
            "include 'passwd'",
            "a\nb: c",
            "\x00",
            "# no comment",
            "\u2028",
            "1MB",
            "(",
        ]
    ),
)


QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def without_texts(c):
    return QUOTED.sub('""', render(c))


@settings(max_examples=60)
@given(st.lists(NASTY, min_size=1, max_size=5, unique=True), NASTY)
def test_no_text_leaves_its_quotes(names, path):
    users = tuple(User(f"u {name}", HASH, permissions.admin()) for name in names)
    c = replace(PLAIN, users=(*PLAIN.users, *users), pid_file=f"/nowhere/{path}")
    harmless = tuple(User(f"u{n}", HASH, permissions.admin()) for n in range(len(names)))

    assert without_texts(c) == without_texts(
        replace(PLAIN, users=(*PLAIN.users, *harmless), pid_file="/nowhere")
    )
    # Where a text ends is the server's to say: its own reader agrees.
    assert "is valid" in tried(c)


@pytest.mark.parametrize("subject", ['a"} ]', "a b", "a\nb"])
def test_a_bad_subject_is_refused_as_a_subject(subject):
    may = Permissions(publish_allow=(subject,), subscribe_allow=(">",))

    told = tried(replace(PLAIN, users=(User("u", HASH, may),)))

    assert "is valid" in told or "subject" in told
