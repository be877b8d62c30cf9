"""
The file of a backup: a tar of two members, with the names that NATS' own command line gives them.

    backup.json     what a restore is asked with: {"config": …, "state": …}, and "push_consumers"
    stream.tar.s2   the snapshot as the server sent it

So a backup can be restored without Tickplane: `tar xf FILE` and `nats stream restore FOLDER`.
"""

from __future__ import annotations

import tarfile
from typing import Any

import msgspec

from streams.core.errors import BadBackup

JsonObject = dict[str, Any]

MANIFEST, DATA = "backup.json", "stream.tar.s2"
BLOCK = tarfile.BLOCKSIZE
# What `read` must be given to find the manifest; a configuration has some kilobytes.
HEAD = 4 * 1024 * 1024


class Manifest(msgspec.Struct, frozen=True):
    """
    What the snapshot is of.

    Attributes:
        config: The stream's, as JetStream told it with the snapshot. state: Likewise.
        push_consumers: Those that deliver by themselves: a copy of them would do it again.
    """

    config: JsonObject
    state: JsonObject
    push_consumers: list[str] = []

    @property
    def stream(self) -> str:
        return str(self.config.get("name", ""))

    @property
    def messages(self) -> int:
        return int(self.state.get("messages", 0))


class Layout(msgspec.Struct, frozen=True):
    """Where the snapshot lies in the file."""

    manifest: Manifest
    offset: int
    size: int


def opening(manifest: Manifest, size: int, at_s: int) -> bytes:
    """
    Return what stands before the snapshot. It is as long for any `size`: it can be written anew
    once that is known.
    """
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    return b"".join(
        (
            _header(MANIFEST, len(text), at_s),
            text,
            bytes(-len(text) % BLOCK),
            _header(DATA, size, at_s),
        )
    )


def closing(size: int) -> bytes:
    """Return what stands after a snapshot of so many bytes."""
    return bytes(-size % BLOCK + 2 * BLOCK)


def read(head: bytes, file_size: int) -> Layout:
    """
    Return what is in a file that begins like this.

    Args:
        head: Its first `HEAD` bytes, or all.

    Raises:
        BadBackup: It is no backup, or shorter than it says.
    """
    text_size = _member(head[:BLOCK], MANIFEST)
    second = BLOCK + text_size + -text_size % BLOCK
    size = _member(head[second : second + BLOCK], DATA)
    offset = second + BLOCK
    if offset + size > file_size:
        raise BadBackup(f"the file has {file_size} bytes where {offset + size} are needed")
    try:
        manifest = msgspec.json.decode(head[BLOCK : BLOCK + text_size], type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        raise BadBackup(f"{MANIFEST} in the file cannot be read: {e}") from e
    return Layout(manifest, offset, size)


def for_restore(
    config: JsonObject,
    *,
    name: str,
    subjects: list[str] | None = None,
    replicas: int | None = None,
) -> JsonObject:
    """
    Return the configuration that a stream comes back with.

    A copy under another name takes only `subjects`: those of the original are the original's. Nor
    does it mirror, draw from sources or publish again what the original does already.
    """
    made = {**config, "name": name}
    if replicas is not None:
        made["num_replicas"] = replicas
    if name != config.get("name"):
        for field in ("subjects", "mirror", "sources", "republish", "subject_transform"):
            made.pop(field, None)
        if subjects:
            made["subjects"] = subjects
    return made


def _header(name: str, size: int, at_s: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, at_s, 0o600
    return member.tobuf(tarfile.GNU_FORMAT)


def _member(block: bytes, name: str) -> int:
    """Return the size of the member whose header this is."""
    try:
        member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as e:
        raise BadBackup(f"the file is no backup: {e}") from e
    if member.name != name or member.size < 0:
        raise BadBackup(f"the file is no backup: it has {member.name!r} where {name} belongs")
    return member.size
