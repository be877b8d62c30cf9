"""
Every field of a consumer's configuration, as nats-server 2.15 has them (`ConsumerConfig`).

Held against a real server as `stream_fields` is.
"""

from __future__ import annotations

from streams.core.field import Field, by_name

CONSUMER_FIELDS = by_name(
    # What it is.
    Field(
        name="durable_name", kind="text", group="consumer", change="immutable", maximum=255,
        default="", doc="The consumer's name; with it the consumer outlives its clients.",
    ),
    Field(
        name="name", kind="text", group="consumer", change="immutable", maximum=255, default="",
        doc="The same name again.",
    ),
    Field(
        name="description", kind="text", group="consumer", default="", maximum=4096,
        doc="For people.",
    ),
    Field(
        name="metadata", kind="map", group="consumer", default={}, maximum=128 * 1024,
        unit="bytes", doc="For programs. Keys that begin with _nats. are the server's own.",
    ),
    # What it delivers.
    Field(
        name="filter_subject", kind="subject", group="delivery", default="",
        doc="Delivers only what matches.",
    ),
    Field(
        name="filter_subjects", kind="subjects", group="delivery", default=(),
        doc="Several of them, instead of filter_subject; none may match what another does.",
    ),
    Field(
        name="deliver_policy", kind="choice", group="delivery", default="all", change="immutable",
        choices=(
            "all", "last", "new", "by_start_sequence", "by_start_time", "last_per_subject",
        ),
        doc="Where it begins.",
    ),
    Field(
        name="opt_start_seq", kind="count", group="delivery", default=0, change="immutable",
        doc="The first sequence, for by_start_sequence.",
    ),
    Field(
        name="opt_start_time", kind="time", group="delivery", change="immutable",
        doc="The first time, for by_start_time.",
    ),
    Field(
        name="replay_policy", kind="choice", group="delivery", default="instant",
        change="immutable", choices=("instant", "original"),
        doc="As fast as possible, or with the pauses that the messages came with.",
    ),
    Field(
        name="headers_only", kind="flag", group="delivery", default=False,
        doc="Delivers headers without the message.",
    ),
    # Acknowledging.
    Field(
        name="ack_policy", kind="choice", group="acknowledgement", change="immutable",
        # The server's own default is none; a durable that forgets is rarely what was meant.
        default="none", choices=("none", "all", "explicit", "flow_control"),
        choice_levels={"flow_control": 4},
        doc="Whether each message is acknowledged; flow_control is for copying between streams.",
    ),
    Field(
        name="ack_wait", kind="duration", group="acknowledgement", unit="ns",
        doc="After how long an unacknowledged message comes again; left out: 30 seconds.",
    ),
    Field(
        name="max_deliver", kind="count", group="acknowledgement", default=-1, unlimited=True,
        doc="How often it comes at most.",
    ),
    Field(
        name="backoff", kind="durations", group="acknowledgement", default=(), unit="ns",
        doc="After how long it comes the second time, the third, …; its first is the ack_wait.",
    ),
    Field(
        name="max_ack_pending", kind="count", group="acknowledgement", minimum=-1,
        doc="How many messages may be unacknowledged; -1 means any number. Left out: 1,000.",
    ),
    Field(
        name="sample_freq", kind="text", group="acknowledgement", default="", unit="%",
        doc="How many of 100 acknowledgements make an event.",
    ),
    # Who fetches.
    Field(
        name="max_waiting", kind="count", group="pull", change="immutable",
        doc="How many requests may wait; pull only. Left out: 512.",
    ),
    Field(
        name="max_batch", kind="count", group="pull", default=0,
        doc="How many messages a request may ask for; pull only.",
    ),
    Field(
        name="max_expires", kind="duration", group="pull", default=0, minimum=1_000_000,
        unit="ns", doc="How long a request may wait; pull only.",
    ),
    Field(
        name="max_bytes", kind="bytes", group="pull", default=0, unit="bytes",
        doc="How many bytes a request may ask for; pull only.",
    ),
    Field(
        name="priority_policy", kind="choice", group="pull", default="none", level=1,
        choices=("none", "overflow", "pinned_client", "prioritized"),
        choice_levels={"prioritized": 2},
        doc="Which of several clients is served; pull only.",
    ),
    Field(
        name="priority_groups", kind="texts", group="pull", default=(), level=1,
        doc="The groups that clients name; wanted by a priority_policy.",
    ),
    Field(
        name="priority_timeout", kind="duration", group="pull", default=0, level=1, unit="ns",
        doc="After how long a silent pinned client loses its place.",
    ),
    # Who is delivered to.
    Field(
        name="deliver_subject", kind="subject", group="push", literal=True, default="",
        change="immutable", doc="Where messages are pushed to; without it clients fetch them.",
    ),
    Field(
        name="deliver_group", kind="text", group="push", default="",
        doc="The queue group of those who are pushed to.",
    ),
    Field(
        name="flow_control", kind="flag", group="push", default=False, change="immutable",
        doc="Waits for a slow client; push only, and wants idle_heartbeat.",
    ),
    Field(
        name="idle_heartbeat", kind="duration", group="push", default=0, minimum=100_000_000,
        change="immutable", unit="ns", doc="How often it is said that nothing is new; push only.",
    ),
    Field(
        name="rate_limit_bps", kind="count", group="push", default=0, unit="bit/s",
        doc="How fast messages are pushed; push only.",
    ),
    # Where and how long it lives.
    Field(
        name="num_replicas", kind="count", group="life", default=0, maximum=5,
        doc="On how many servers; 0 means as its stream.",
    ),
    Field(
        name="mem_storage", kind="flag", group="life", default=False, change="immutable",
        doc="Its state is kept in memory.",
    ),
    Field(
        name="inactive_threshold", kind="duration", group="life", default=0, unit="ns",
        doc="After how long without a client it is removed; 0 means never.",
    ),
    Field(
        name="pause_until", kind="time", group="life", level=1, change="immutable",
        doc="Delivers nothing before then. At creation only: afterwards it is paused and resumed.",
    ),
    # The server's own.
    Field(
        name="direct", kind="flag", group="internal", default=False, change="immutable",
        doc="Of streams that copy; never of a durable consumer.",
    ),
    Field(
        name="sourcing", kind="flag", group="internal", default=False, change="immutable", level=4,
        doc="Marks a consumer that another stream copies through.",
    ),
)  # fmt: skip
