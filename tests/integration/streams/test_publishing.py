"""Publishing one message by hand, on a real server."""

from __future__ import annotations

import pytest

from streams import services
from streams.core.errors import ApiRefused, BadDefinition, BrokerAway, TooLarge
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


@pytest.mark.parametrize("message", ["half \ud800", {"half": "\ud800"}, {"\ud800": 1}])
def test_what_is_no_text_is_refused_by_name(stream, message):
    with pytest.raises(BadDefinition) as caught:
        services.publish(subject="hand.a", message=message)

    assert caught.value.field == "message"
    assert browsing.messages(stream=stream).messages == 0


@pytest.mark.parametrize("path", ["/api/v1/publish", "/api/v1/broker/publish"])
def test_half_a_character_over_http_is_no_bug_of_ours(stream, admin_client, path):
    body = '{"subject": "hand.a", "message": "half \\ud800"}'

    answer = admin_client.post(path, body, content_type="application/json")

    assert answer.status_code == 400


@pytest.mark.parametrize("said", [b"hello", b"[1]", b'{"not": "an acknowledgement"}'])
def test_a_service_that_answers_instead_of_the_stream_is_not_taken_for_it(make_stream, said):
    # A stream that never answers is one that is always slower.
    make_stream("SILENT", subjects=["silent.>"], no_ack=True)

    async def answer(message):
        await message.respond(said)

    async def listen(client):
        found = await client.subscribe("silent.a", cb=answer)
        await client.flush()
        return found

    listening = services.link().run(listen)

    with pytest.raises(BrokerAway, match="answer"):
        services.publish(subject="silent.a", message="x")

    services.link().run(lambda _: listening.unsubscribe())
