from __future__ import annotations

import io
import tarfile

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import snapshot
from streams.core.errors import BadBackup

MANIFEST = snapshot.Manifest(
    {"name": "ORDERS", "subjects": ["orders.>"]}, {"messages": 7, "first_seq": 1}, ["pusher"]
)


def written(data, manifest=MANIFEST):
    return snapshot.opening(manifest, len(data), 1_700_000_000) + data + snapshot.closing(len(data))


@given(st.binary(max_size=2000))
def test_any_tar_reads_the_two_members(data):
    with tarfile.open(fileobj=io.BytesIO(written(data))) as tar:
        names = tar.getnames()
        manifest, content = (member.read() for name in names if (member := tar.extractfile(name)))

    assert names == ["backup.json", "stream.tar.s2"]
    assert content == data
    assert msgspec.json.decode(manifest)["config"]["name"] == "ORDERS"


@given(st.binary(max_size=2000))
def test_what_was_written_is_found_again(data):
    file = written(data)

    layout = snapshot.read(file[: snapshot.HEAD], len(file))

    assert layout.manifest == MANIFEST
    assert file[layout.offset : layout.offset + layout.size] == data
    assert (layout.manifest.stream, layout.manifest.messages) == ("ORDERS", 7)


def test_the_opening_is_as_long_for_a_terabyte():
    assert len(snapshot.opening(MANIFEST, 2**40, 1)) == len(snapshot.opening(MANIFEST, 0, 1))
    file = snapshot.opening(MANIFEST, 2**40, 1)
    assert snapshot.read(file, 2**41).size == 2**40


@given(st.binary(max_size=3000) | st.integers(0, 2000).map(lambda n: written(b"x" * 700)[:n]))
def test_what_is_no_backup_is_refused(data):
    with pytest.raises(BadBackup):
        snapshot.read(data, len(data))


@given(st.integers(0, 1535), st.integers(0, 255))
def test_a_damaged_beginning_is_found_or_harmless(place, byte):
    damaged = bytearray(written(b"abc"))
    damaged[place] = byte

    try:
        layout = snapshot.read(bytes(damaged), len(damaged))
    except BadBackup:
        return
    assert damaged[layout.offset : layout.offset + layout.size] == b"abc"


def test_a_stream_comes_back_as_it_was():
    config = {"name": "A", "subjects": ["a"], "sources": [{"name": "B"}], "new_field": 1}

    assert snapshot.for_restore(config, name="A") == config
    assert snapshot.for_restore(config, name="A", replicas=3)["num_replicas"] == 3


def test_a_copy_does_not_take_what_is_the_originals():
    config = {"name": "A", "subjects": ["a"], "mirror": {"name": "B"}, "republish": {"dest": "c"}}

    assert snapshot.for_restore(config, name="COPY") == {"name": "COPY"}
    copied = snapshot.for_restore(config, name="COPY", subjects=["copy.>"])
    assert copied == {"name": "COPY", "subjects": ["copy.>"]}
