from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pika import frame, spec

from accounts.publish.marshal import FRAME_BYTES, WRITE_BYTES, writes
from accounts.publish.window import Parcel

FRAME_MAX = 4096

parcels = st.lists(
    st.builds(
        Parcel,
        id=st.text("abc-0123", min_size=1, max_size=40),
        key=st.sampled_from(["state.0", "state.17", "event.position.opened.3"]),
        payload=st.binary(max_size=50) | st.integers(0, 30_000).map(bytes),
        headers=st.none() | st.just({"kind": "k", "number": 7}),
    ),
    max_size=20,
)


def read(data):
    """Return the frames in these bytes, all of them whole."""
    found = []
    while data:
        used, one = frame.decode_frame(data)
        assert one is not None, "a frame was cut"
        found.append(one)
        data = data[used:]
    return found


def test_a_publish_is_mandatory_persistent_json_with_its_time_and_identity():
    [data] = writes(
        [Parcel("a:1:2", "state.4", b"{}")], channel=3, exchange="x", frame_max=FRAME_MAX, at=99
    )

    method, header, body = read(data)
    assert {each.channel_number for each in (method, header, body)} == {3}
    told = method.method
    assert (told.exchange, told.routing_key, told.mandatory) == ("x", "state.4", True)
    assert header.body_size == 2
    assert header.properties == spec.BasicProperties(
        content_type="application/json", delivery_mode=2, timestamp=99, message_id="a:1:2"
    )
    assert body.fragment == b"{}"


@given(parcels)
def test_every_publish_leaves_whole_in_order_and_in_frames_that_fit(given_parcels):
    found = list(writes(given_parcels, channel=1, exchange="x", frame_max=FRAME_MAX, at=1))

    left = [each for data in found for each in read(data)]
    for parcel in given_parcels:
        assert left.pop(0).method.routing_key == parcel.key
        header = left.pop(0)
        assert header.properties.message_id == parcel.id
        assert header.properties.headers == parcel.headers
        body = b""
        while len(body) < header.body_size:
            fragment = left.pop(0).fragment
            assert len(fragment) <= FRAME_MAX - FRAME_BYTES
            body += fragment
        assert body == parcel.payload
    assert left == []


def test_a_write_has_a_bound_and_not_every_message_has_its_own():
    many = [Parcel(str(n), "state.0", bytes(1000)) for n in range(1000)]

    found = list(writes(many, channel=1, exchange="x", frame_max=0, at=1))

    assert 10 < len(found) < 30
    assert all(len(data) < 2 * WRITE_BYTES for data in found)
