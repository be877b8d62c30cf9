"""Publishing one message by hand, on a real server."""

from __future__ import annotations

import pytest

from streams import services
from streams.core.errors import ApiRefused, BadDefinition, TooLarge
from streams.services import browsing
from streams.services.publishing import Published

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def stream(make_stream):
    make_stream("BY_HAND", subjects=["hand.>"], max_msg_size=1000)
    return "BY_HAND"


def test_where_it_is_stored_is_told_and_the_same_again_is_stored_once(stream):
    def publish():
        return services.publish(
            subject="hand.a", message={"a": 1}, headers={"X-Why": "test: ü"}, msg_id="7"
        )

    first, again = publish(), publish()

    assert (first, again) == (Published("BY_HAND", 1), Published("BY_HAND", 1, duplicate=True))
    (row,) = browsing.messages(stream=stream).rows
    assert row.headers == {"X-Why": ["test: ü"], "Nats-Msg-Id": ["7"]}
    assert row.shown == {"a": 1}


def test_what_no_stream_stores_is_published_all_the_same(broker):
    assert services.publish(subject="nobody.listens", message="x") == Published()


@pytest.mark.parametrize(
    "headers",
    [
        {"": "x"},
        {"a b": "x"},
        {"a:b": "x"},
        {"ü": "x"},
        {"A": "x\r\nNats-Rollup: all"},
        {"A": " x"},
        {"Nats-Rollup": "all"},
        {"nats-rollup": "all"},
        {"Nats-Batch-Id": "x"},
        {f"A{n}": "x" for n in range(33)},
    ],
)
def test_headers_that_cannot_be_or_do_more_are_refused(broker, headers):
    with pytest.raises(BadDefinition) as caught:
        services.publish(subject="hand.a", message="x", headers=headers)

    assert caught.value.field == "headers"


def test_what_the_stream_refuses_is_said(stream):
    with pytest.raises(ApiRefused):
        services.publish(subject="hand.a", message="x" * 2000)


def test_headers_count_into_the_size(stream):
    services.link().api("INFO")
    room = services.link().max_payload

    # With the header, eighteen bytes more are on their way.
    with pytest.raises(ApiRefused):  # By the stream; it has reached it.
        services.publish(subject="hand.a", message="x" * (room - 18), headers={"A": "b"})
    with pytest.raises(TooLarge):
        services.publish(subject="hand.a", message="x" * (room - 17), headers={"A": "b"})
