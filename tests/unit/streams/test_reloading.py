from __future__ import annotations

import msgspec
import pytest

from streams.core import permissions
from streams.core.reloading import Change, changes, loadable
from streams.core.serverconf import NodeConfiguration, Routes, User

BEFORE = NodeConfiguration(name="n1", store_folder="/data")
replace = msgspec.structs.replace


def test_nothing_differs_from_itself():
    assert changes(BEFORE, BEFORE) == []
    assert loadable(BEFORE, BEFORE) == BEFORE


def test_a_port_waits_and_a_user_does_not():
    user = User("eve", "$2b$", permissions.admin())
    after = replace(BEFORE, port=4223, users=(user,))

    assert changes(BEFORE, after) == [
        Change("client port", reloads=False),
        Change("users", reloads=True),
    ]
    assert loadable(BEFORE, after) == replace(BEFORE, users=(user,))


@pytest.mark.parametrize("field", ["max_memory_bytes", "max_storage_bytes"])
def test_jetstream_may_grow_but_not_shrink(field):
    now = getattr(BEFORE, field)

    (grown,) = changes(BEFORE, replace(BEFORE, **{field: now + 1}))
    (shrunk,) = changes(BEFORE, replace(BEFORE, **{field: now - 1}))

    assert (grown.reloads, shrunk.reloads) == (True, False)
    assert loadable(BEFORE, replace(BEFORE, **{field: now - 1})) == BEFORE


def test_routes_change_live_but_a_cluster_begins_with_a_restart():
    one = Routes("C", "127.0.0.1", 6222, ("nats-route://a:6222",))
    before, more = (
        replace(BEFORE, routes=one),
        replace(one, urls=(*one.urls, "nats-route://b:6222")),
    )

    assert changes(before, replace(before, routes=more)) == [Change("routes", reloads=True)]
    assert changes(BEFORE, before) == [Change("routes", reloads=False)]
    assert changes(before, replace(before, routes=replace(one, port=6223)))[0].reloads is False


def test_every_attribute_has_a_name_for_the_operator():
    for field in NodeConfiguration.__struct_fields__:
        after = msgspec.structs.replace(BEFORE, **{field: object()}) if field not in (
            "routes", "max_memory_bytes", "max_storage_bytes"
        ) else BEFORE  # fmt: skip
        assert all(change.option for change in changes(BEFORE, after))
