"""What an operator types about streams and servers, and what is stored of it."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from django.core.exceptions import ValidationError
from django.utils.html import escape
from hypothesis import given
from hypothesis import strategies as st

from streams.core.fields import CONSUMER_FIELDS, STREAM_FIELDS
from streams.forms import declared, typed, units
from streams.forms.acts import NewMessage, Pause, Restoring, Sieve, Which
from streams.forms.servers import ClusterForm, NodeForm, TlsFilesForm, UserForm, masked
from streams.models import BrokerUser, Cluster, Stream

pytestmark = pytest.mark.django_db

HOSTILE = (
    "\x00", "a\x1bb", "-2", "9" * 40, "1e9", "NaN", "Infinity", "1.5.5", "{", "[", "[" * 5000,
    '{"a":' + "[" * 400 + "]" * 400 + "}",
    '{"a": NaN}', "null", "true", "''; DROP TABLE", "<script>alert(1)</script>", "𐀀", "٣",
    "unlimited", "1h-2m", "0x10", " ", "\n\n", "a..b", ">.>", "market.>", "a" * 2000,
)  # fmt: skip


def posted(form_class, instance=None, **changed):
    """Return the form as a browser sends it back, with what was typed."""
    blank = form_class(instance=instance)
    data = {}
    for name, field in blank.fields.items():
        value = field.prepare_value(blank.get_initial_for_field(field, name))
        if value not in (None, False):
            data[name] = getattr(value, "pk", value)
    return form_class(data={**data, **changed}, instance=instance)


# Units


@given(st.integers(0, units.MOST))
def test_a_duration_that_is_shown_means_the_same_when_typed(value):
    assert units.duration(units.duration_text(value)) == value


@given(st.integers(0, 10**17))
def test_a_size_that_is_shown_means_the_same_when_typed(value):
    assert units.size(units.size_text(value)) == value


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("1h", 3600e9), ("1h30m", 5400e9), ("90", 90e9), ("2.5s", 2.5e9), ("250 ms", 250e6),
     ("7d", 604800e9), ("1 h 5 min", 3900e9), ("100ns", 100), ("unlimited", 0)],
)  # fmt: skip
def test_durations_are_read_as_people_write_them(text, nanoseconds):
    assert units.duration(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "h", "1h-2m", "-5s", "1y", "1.5ns", "9" * 60, "٣s", "1h x"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match=r"^$"):
        units.duration(text)


@pytest.mark.parametrize(("text", "bytes_"), [("10GB", 10 << 30), ("512 mb", 512 << 20), ("7", 7)])
def test_sizes_are_read_as_people_write_them(text, bytes_):
    assert units.size(text) == bytes_
    assert units.size("unlimited") == units.count("Unlimited") == -1


# A configuration

FULL = {
    "subjects": ["orders.>", "bills.*"],
    "description": "Orders",
    "metadata": {"team": "quotes"},
    "retention": "limits",
    "max_age": 5_400_000_000_000,
    "max_msgs": -1,
    "max_bytes": 10 << 30,
    "discard": "new",
    "allow_direct": False,
    "allow_batched": True,
    "storage": "file",
    "placement": {"cluster": "C1", "tags": ["ssd"]},
    "republish": {"src": ">", "dest": "copy.>"},
    "some_later_field": {"on": True},
}


def test_what_nobody_touches_stays_as_it_is():
    stream = Stream(pk=1, name="ORDERS", config=FULL)

    form = posted(declared.StreamForm, stream)

    assert form.is_valid(), form.errors
    assert form.changed_data == []
    assert form.config == FULL


def test_only_what_is_typed_changes():
    stream = Stream(pk=1, name="ORDERS", config=FULL)

    form = posted(
        declared.StreamForm, stream, js_max_age="1h", js_max_bytes="", js_allow_direct="true",
        js_subjects="orders.>\n", js_duplicate_window="2m", js_max_msgs="5,000",
    )  # fmt: skip

    assert form.is_valid(), form.errors
    changed = {**FULL, "max_age": 3_600_000_000_000, "allow_direct": True, "max_msgs": 5000,
               "subjects": ["orders.>"], "duplicate_window": 120_000_000_000}  # fmt: skip
    del changed["max_bytes"]
    assert form.config == changed


def test_unknown_fields_are_edited_as_json():
    stream = Stream(pk=1, name="ORDERS", config={"subjects": ["a"], "later": 1, "gone": 2})

    form = posted(declared.StreamForm, stream, further='{"later": 3}')
    known = posted(declared.StreamForm, stream, further='{"max_age": 3}')

    assert form.is_valid(), form.errors
    assert form.config == {"subjects": ["a"], "later": 3}
    assert "max_age" in str(known.errors["further"])


def test_what_is_fixed_in_nats_cannot_be_typed():
    config = {"subjects": ["a"], "storage": "file"}
    stream = Stream(pk=1, name="ORDERS", config=config, applied=config)

    form = posted(declared.StreamForm, stream, js_storage="memory", js_max_msgs="7")

    assert form.fields["js_storage"].disabled
    assert form.is_valid(), form.errors
    assert form.config == {**config, "max_msgs": 7}


def test_the_form_has_a_line_for_each_field_of_the_table():
    for form_class, table in (
        (declared.StreamForm, STREAM_FIELDS),
        (declared.ConsumerForm, CONSUMER_FIELDS),
    ):
        lines = {name for name in form_class.base_fields if name.startswith(declared.PREFIX)}
        grouped = [name for names in declared.grouped(table).values() for name in names]
        expected = {declared.PREFIX + name for name in set(table) - declared.OF_THE_RECORD}
        assert lines == set(grouped) == expected
        assert all(form_class.base_fields[name].help_text for name in lines)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_field_of_a_configuration_breaks_on_what_is_typed(text):
    for form_class in (declared.StreamForm, declared.ConsumerForm):
        for field in form_class.base_fields.values():
            with suppress(ValidationError):
                field.clean(text)
        form = form_class(data=dict.fromkeys(form_class.base_fields, text))
        form.is_valid()
        json.dumps(form.config, allow_nan=False)
        assert escape(text.strip()[:5]) in str(form)


@pytest.mark.parametrize(
    ("field", "text"),
    [("js_max_age", "soon"), ("js_max_msgs", "many"), ("js_max_bytes", "1 PB"),
     ("js_retention", "forever"), ("js_mirror", "[]"), ("js_sources", "{}"),
     ("js_allow_direct", "perhaps"), ("js_subjects", "a..b"), ("js_placement", "{"),
     ("name", "a.b"), ("name", "a b"), ("further", "[]")],
)  # fmt: skip
def test_what_is_wrong_is_said_beside_its_field(field, text):
    form = posted(declared.StreamForm, Stream(), name="ORDERS", js_subjects="a")
    form.data[field] = text

    assert list(form.errors) == [field]


def test_a_stored_value_that_is_none_of_the_choices_is_no_crash():
    config = {"subjects": "no list", "max_age": "x", "retention": 7, "mirror": 1, "metadata": []}
    form = declared.StreamForm(instance=Stream(pk=1, name="ODD", config=config))

    assert "ODD" in str(form)
    assert posted(declared.StreamForm, Stream(pk=1, name="ODD", config=[1])).config == {}


def test_a_moment_says_its_zone():
    field = typed.form_field(CONSUMER_FIELDS["opt_start_time"], "")

    assert field.clean("2030-01-31T12:00:00") == "2030-01-31T12:00:00Z"
    assert field.clean("2030-01-31T12:00:00+02:00") == "2030-01-31T12:00:00+02:00"
    with pytest.raises(ValidationError):
        field.clean("yesterday")


# Servers


def cluster_form(**changed):
    return posted(ClusterForm, Cluster(name="other"), **changed)


def test_a_clusters_sizes_and_durations_are_checked():
    assert cluster_form(jetstream_max_storage="20GB", sync_interval="always").is_valid()
    for name, text in (
        ("jetstream_max_memory", "much"), ("max_payload", "-1"), ("ping_interval", "often"),
        ("sync_interval", "never"), ("nats_url", "nats://ann:secret@host:4222"),
        ("cluster_routes", "node2"), ("cluster_routes", "nats-route://a:b@node2:6222"),
        ("host", "a b"), ("nats_port", "0"), ("nats_port", "70000"),
        ("client_urls", "nats://host:99999"),
    ):  # fmt: skip
        form = cluster_form(**{name: text})
        assert list(form.errors) == [name], (name, form.errors)
    assert "__all__" in cluster_form(nats_port="8222").errors


def test_a_route_that_was_imported_with_a_password_keeps_it_and_shows_none():
    kept = ["nats-route://ann:s3cret@node2:6222"]
    cluster = Cluster(name="other", cluster_routes=kept)

    shown = ClusterForm(instance=cluster)
    same = posted(ClusterForm, cluster)
    more = posted(ClusterForm, cluster,
                  cluster_routes=f"{masked(kept[0])}\nnats-route://node3:6222")  # fmt: skip

    assert "s3cret" not in str(shown)
    assert same.is_valid()
    assert same.changed_data == []
    assert more.is_valid(), more.errors
    assert more.cleaned_data["cluster_routes"] == [*kept, "nats-route://node3:6222"]


def test_a_user_needs_subjects_that_are_some():
    cluster = Cluster.objects.create(name="other")
    user = BrokerUser(cluster=cluster, name="feed", role="producer")

    assert list(posted(UserForm, user).errors) == ["subjects"]
    assert list(posted(UserForm, user, subjects="a..b").errors) == ["subjects"]
    assert list(posted(UserForm, user, subjects="a", streams="x.y").errors) == ["streams"]
    form = posted(UserForm, user, subjects="market.>\n account.* \n")
    assert form.is_valid(), form.errors
    assert form.cleaned_data["subjects"] == ["market.>", "account.*"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_form_breaks_on_what_is_typed(text):
    for form_class in (
        ClusterForm,
        NodeForm,
        TlsFilesForm,
        UserForm,
        Sieve,
        Which,
        Pause,
        Restoring,
    ):
        form = form_class(data=dict.fromkeys(form_class.base_fields, text))
        form.is_valid()
        str(form)
    for name in NewMessage.base_fields:
        data = {"subject": "a.b", "kind": "json", "message": "{}", name: text}
        message = NewMessage(data, patterns=["a.>"])
        message.is_valid()
        str(message)


def test_a_test_message_must_be_one_of_its_streams():
    def errors(**data):
        full = {"subject": "a.b", "kind": "json", "message": '{"x": 1}', **data}
        return list(NewMessage(full, patterns=["a.>"]).errors)

    assert errors() == []
    assert errors(subject="b.c") == errors(subject="a.>") == errors(subject="") == ["subject"]
    assert errors(message="{") == ["message"]
    assert errors(message="{", kind="text") == []


def test_what_is_left_out_says_what_it_comes_to():
    new = str(declared.StreamForm())
    there = declared.StreamForm(
        instance=Stream(pk=1, name="A", live={"allow_direct": False, "max_bytes": 10 << 30})
    )

    assert "left out (yes)" in str(declared.StreamForm()["js_allow_direct"])
    assert "left out (file)" in new
    assert "left out (no)" in str(there["js_allow_direct"])
    assert 'placeholder="10GB"' in str(there["js_max_bytes"])
    assert 'placeholder="unlimited"' in str(declared.StreamForm()["js_max_bytes"])


def test_what_is_emptied_is_taken_away_where_nats_has_it():
    config = {"subjects": ["a"], "republish": {"dest": "b"}, "description": "x", "max_age": 60}
    emptied = {"js_republish": "", "js_description": "", "js_max_age": ""}

    there = posted(
        declared.StreamForm, Stream(pk=1, name="A", config=config, live=config), **emptied
    )
    new = posted(declared.StreamForm, Stream(pk=1, name="A", config=config), **emptied)

    assert there.is_valid(), there.errors
    assert there.config == {"subjects": ["a"], "republish": None, "description": None}
    assert new.is_valid(), new.errors
    assert new.config == {"subjects": ["a"]}
