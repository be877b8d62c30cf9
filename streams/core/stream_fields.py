"""
Every field of a stream's configuration, as nats-server 2.15 has them (`StreamConfig`).

`tests/integration/streams/test_fields.py` holds this table against a real server: that it takes
each field, has no other, and changes exactly those that are said to change.
"""

from __future__ import annotations

from streams.core.field import Field, by_name

CONSUMER_LEVEL = 4  # Servers of 2.14 copy through a consumer of one's own.

TRANSFORM = by_name(
    Field(name="src", kind="subject", doc="Subjects to transform; empty means all."),
    Field(name="dest", kind="text", doc="What they become; {{wildcard(1)}} is the first token."),
)

SOURCE = by_name(
    Field(name="name", kind="text", required=True, doc="The stream to copy from."),
    Field(name="opt_start_seq", kind="count", doc="First sequence to copy.", default=0),
    Field(name="opt_start_time", kind="time", doc="Time of the first message to copy."),
    Field(name="filter_subject", kind="subject", doc="Copies only what matches.", default=""),
    Field(
        name="subject_transforms", kind="structs", inner=TRANSFORM,
        doc="Copies what matches, under other subjects.", default=(),
    ),
    Field(
        name="external", kind="struct", doc="Another account or domain.",
        inner=by_name(
            Field(name="api", kind="subject", literal=True, doc="Prefix of its API."),
            Field(
                name="deliver", kind="subject", literal=True, default="",
                doc="Prefix of what it delivers.",
            ),
        ),
    ),
    Field(
        name="consumer", kind="struct", level=CONSUMER_LEVEL,
        doc="A durable consumer to copy through, made beforehand.",
        inner=by_name(
            Field(name="name", kind="text", required=True, doc="Its name."),
            Field(
                name="deliver_subject", kind="subject", literal=True, required=True,
                doc="Where it delivers.",
            ),
        ),
    ),
)  # fmt: skip

STREAM_FIELDS = by_name(
    # What it is.
    Field(
        name="name", kind="text", group="stream", change="immutable", required=True, maximum=255,
        doc="The stream's name; no dot, asterisk, angle bracket, slash or space.",
    ),
    Field(
        name="description", kind="text", group="stream", default="", maximum=4096,
        doc="For people.",
    ),
    Field(
        name="metadata", kind="map", group="stream", default={}, maximum=128 * 1024, unit="bytes",
        doc="For programs. Keys that begin with _nats. are the server's own.",
    ),
    # What goes in.
    Field(
        name="subjects", kind="subjects", group="subjects", default=(),
        doc="What it stores. None of them may match what another stream stores.",
    ),
    Field(
        name="subject_transform", kind="struct", group="subjects", inner=TRANSFORM,
        doc="Stores messages under another subject than they came with.",
    ),
    Field(
        name="republish", kind="struct", group="subjects",
        doc="Publishes each message again once it is stored.",
        inner=by_name(
            Field(name="src", kind="subject", default=">", doc="Which; empty means all."),
            Field(name="dest", kind="text", required=True, doc="Under which subject."),
            Field(
                name="headers_only", kind="flag", default=False, doc="Without the message itself."
            ),
        ),
    ),
    Field(
        name="mirror", kind="struct", group="subjects", change="one_way", inner=SOURCE,
        doc="Copies one stream, message by message. It may be removed, which cannot be undone.",
    ),
    Field(
        name="sources", kind="structs", group="subjects", inner=SOURCE, default=(),
        doc="Copies from several streams into this one; each has what a mirror has.",
    ),
    # How long it is kept.
    Field(
        name="retention", kind="choice", group="retention", default="limits", change="immutable",
        choices=("limits", "interest", "workqueue"),
        moves=(("limits", "interest"), ("interest", "limits")),
        doc="Until a limit is reached; while a consumer wants it; or until one has taken it.",
    ),
    Field(
        name="max_age", kind="duration", group="retention", default=0, minimum=100_000_000,
        unit="ns", doc="How long a message is kept; 0 means for ever.",
    ),
    Field(
        name="max_msgs", kind="count", group="retention", default=-1, unlimited=True,
        doc="How many messages are kept.",
    ),
    Field(
        name="max_bytes", kind="bytes", group="retention", default=-1, unlimited=True,
        unit="bytes", doc="How many bytes are kept.",
    ),
    Field(
        name="max_msgs_per_subject", kind="count", group="retention", default=-1, unlimited=True,
        doc="How many messages of one subject are kept.",
    ),
    Field(
        name="discard", kind="choice", group="retention", default="old", choices=("old", "new"),
        doc="What goes when a limit is reached: the oldest message, or the new one is refused.",
    ),
    Field(
        name="discard_new_per_subject", kind="flag", group="retention", default=False,
        doc="Refuses a new message when its subject is full; wants discard: new.",
    ),
    Field(
        name="max_msg_size", kind="bytes", group="retention", default=-1, unlimited=True,
        maximum=2**31 - 1, unit="bytes", doc="The largest message that is taken.",
    ),
    Field(
        name="allow_msg_ttl", kind="flag", group="retention", default=False, level=1,
        change="one_way", doc="A message may say how long it lives (Nats-TTL).",
    ),
    Field(
        name="subject_delete_marker_ttl", kind="duration", group="retention", default=0, level=1,
        minimum=1_000_000_000, unit="ns",
        doc="How long a marker stays where the last message of a subject was deleted by age; "
        "switches allow_msg_ttl and allow_rollup_hdrs on.",
    ),
    # How it is stored.
    Field(
        name="storage", kind="choice", group="storage", default="file", change="immutable",
        choices=("file", "memory"), doc="Where messages are kept.",
    ),
    Field(
        name="num_replicas", kind="count", group="storage", default=1, minimum=1, maximum=5,
        doc="On how many servers of a cluster.",
    ),
    Field(
        name="placement", kind="struct", group="storage", doc="On which servers of a cluster.",
        inner=by_name(
            Field(name="cluster", kind="text", default="", doc="The cluster's name."),
            Field(name="tags", kind="texts", default=(), doc="Tags that the servers must have."),
            Field(
                name="preferred", kind="text", default="", maximum=0, level=1,
                doc="Servers take it when a leader steps down only, not in a stream.",
            ),
        ),
    ),
    Field(
        name="compression", kind="choice", group="storage", default="none",
        choices=("none", "s2"), doc="How blocks of messages are compressed on the disk.",
    ),
    Field(
        name="persist_mode", kind="choice", group="storage", default="default", level=2,
        change="immutable", choices=("default", "async"),
        doc="async answers before the message is on its way to the disk.",
    ),
    Field(
        name="first_seq", kind="count", group="storage", default=0,
        doc="The sequence of the first message; of use at creation only.",
    ),
    # What clients may do.
    Field(
        name="duplicate_window", kind="duration", group="access", minimum=100_000_000, unit="ns",
        doc="How long a Nats-Msg-Id is remembered; at most max_age. Left out: 2 minutes, or less "
        "where max_age is less.",
    ),
    Field(
        name="no_ack", kind="flag", group="access", default=False,
        doc="Publishers get no answer.",
    ),
    Field(
        name="allow_direct", kind="flag", group="access", default=False,
        doc="Single messages may be read from any replica.",
    ),
    Field(
        name="mirror_direct", kind="flag", group="access", default=False,
        doc="And from this mirror. It follows allow_direct of a stream that is mirrored here.",
    ),
    Field(
        name="allow_rollup_hdrs", kind="flag", group="access", default=False,
        doc="A message may replace all before it (Nats-Rollup).",
    ),
    Field(
        name="deny_delete", kind="flag", group="access", default=False, change="one_way",
        doc="No message can be deleted by itself.",
    ),
    Field(
        name="deny_purge", kind="flag", group="access", default=False, change="one_way",
        doc="The stream cannot be purged.",
    ),
    Field(
        name="sealed", kind="flag", group="access", default=False, change="one_way",
        doc="Nothing goes in or out any more. Not at creation.",
    ),
    Field(
        name="allow_batched", kind="flag", group="access", default=False, level=4,
        doc="Takes batches of fast ingest; see docs/decisions.md.",
    ),
    Field(
        name="allow_atomic", kind="flag", group="access", default=False, level=2,
        doc="Takes batches that are stored whole or not at all.",
    ),
    Field(
        name="allow_msg_counter", kind="flag", group="access", default=False, level=2,
        change="immutable", doc="Each subject is a counter (Nats-Incr).",
    ),
    Field(
        name="allow_msg_schedules", kind="flag", group="access", default=False, level=2,
        change="one_way",
        doc="A message may say when it is to be published; switches allow_rollup_hdrs on.",
    ),
    # Consumers.
    Field(
        name="max_consumers", kind="count", group="consumers", default=-1, unlimited=True,
        doc="How many consumers it may have.",
    ),
    Field(
        name="consumer_limits", kind="struct", group="consumers", default={},
        doc="What its consumers get, and may have at most.",
        inner=by_name(
            Field(
                name="inactive_threshold", kind="duration", default=0, unit="ns",
                doc="After how long an idle consumer is removed.",
            ),
            Field(
                name="max_ack_pending", kind="count", default=0,
                doc="How many messages may be unacknowledged.",
            ),
        ),
    ),
)  # fmt: skip
