"""Looking at a stream's messages, on a real server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from streams import services
from streams.core.errors import ApiRefused, BadDefinition, BadSubject
from streams.core.proto.market_pb2 import Trade
from streams.services import browsing
from tests.integration.streams.conftest import fill

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def stream(broker, make_stream):
    """100 messages on seven subjects by turns; those from 41 to 60 are gone."""
    make_stream("LOOK", subjects=["look.>"])
    fill(broker, [(f"look.{n % 7}.x", b"%d" % n) for n in range(1, 101)])
    for seq in range(41, 61):
        services.link().api("STREAM.MSG.DELETE.LOOK", {"seq": seq})
    return "LOOK"


THERE = [n for n in range(1, 101) if not 41 <= n <= 60]


def seqs(page):
    return [row.seq for row in page.rows]


def all_pages(**asked):
    """Return the rows of page after page until there are no more."""
    page = browsing.messages(**asked)
    rows: list[browsing.Row] = []
    while True:
        rows += page.rows
        if page.next_seq is None:
            return rows
        page = browsing.messages(**{**asked, "start_seq": page.next_seq})


@pytest.mark.parametrize("limit", [1, 7, 50, 500])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("third", [None, "look.3.*"])
def test_page_after_page_shows_each_message_once(stream, limit, backwards, third):
    rows = all_pages(stream=stream, limit=limit, backwards=backwards, subject=third)

    expected = [n for n in THERE if third is None or n % 7 == 3]
    assert [row.seq for row in rows] == (expected[::-1] if backwards else expected)
    assert all(row.shown == row.seq for row in rows)


def test_a_page_says_where_it_is(stream):
    page = browsing.messages(stream=stream, start_seq=39, limit=4)

    assert (seqs(page), page.next_seq, page.complete) == ([39, 40, 61, 62], 63, True)
    assert (page.first_seq, page.last_seq, page.messages) == (1, 100, 80)


def test_backwards_begins_where_it_is_told(stream):
    page = browsing.messages(stream=stream, start_seq=62, limit=3, backwards=True)

    assert (seqs(page), page.next_seq) == ([62, 61, 40], 39)


def test_beyond_either_end_there_is_nothing(stream):
    after = browsing.messages(stream=stream, start_seq=101)
    services.link().api("STREAM.PURGE.LOOK", {"seq": 30})
    before = browsing.messages(stream=stream, start_seq=29, backwards=True)

    assert (after.rows, after.next_seq, before.rows, before.next_seq) == ((), None, (), None)


def test_a_time_says_where_to_start(stream):
    # By a request of its own, so microseconds later, which is what a datetime tells apart.
    services.link().publish_stored("look.later", b"")
    at = browsing.message(stream=stream, seq=101).at

    from_then = browsing.messages(stream=stream, since=at, limit=2)
    up_to_then = browsing.messages(stream=stream, since=at, limit=2, backwards=True)
    whole_day = browsing.messages(stream=stream, since=at - timedelta(days=1), limit=1)

    assert (seqs(from_then), seqs(up_to_then), seqs(whole_day)) == ([101], [100, 99], [1])


def test_a_time_to_come_is_past_the_end(stream):
    tomorrow = datetime.now(UTC) + timedelta(days=1)

    assert browsing.messages(stream=stream, since=tomorrow).rows == ()
    assert seqs(browsing.messages(stream=stream, since=tomorrow, backwards=True, limit=1)) == [100]


def test_an_emptied_and_an_empty_stream_show_nothing(stream, make_stream):
    make_stream("NOTHING", subjects=["nothing.>"])
    services.link().api("STREAM.PURGE.LOOK")

    for name in (stream, "NOTHING"):
        for backwards in (False, True):
            assert browsing.messages(stream=name, backwards=backwards).rows == ()


def test_a_work_queue_keeps_its_messages_and_its_consumers_position(broker, make_stream):
    make_stream("WORK", subjects=["work.>"], retention="workqueue")
    consumer = {"durable_name": "worker", "ack_policy": "explicit"}
    body = {"stream_name": "WORK", "config": consumer}
    services.link().api("CONSUMER.DURABLE.CREATE.WORK.worker", body)
    fill(broker, [("work.a", b"x"), ("work.b", b"y")])

    assert len(all_pages(stream="WORK")) == len(all_pages(stream="WORK", backwards=True)) == 2

    told = services.link().api("STREAM.INFO.WORK")["state"]
    assert (told["messages"], told["consumer_count"]) == (2, 1)
    worker = services.link().api("CONSUMER.INFO.WORK.worker")
    assert (worker["num_pending"], worker["delivered"]["stream_seq"]) == (2, 0)


def test_without_direct_gets_a_stream_can_be_read_too(broker, make_stream):
    make_stream("INDIRECT", subjects=["indirect.>"], allow_direct=False)
    fill(broker, [("indirect.a", b"1")])

    assert len(browsing.messages(stream="INDIRECT").rows) == 1
    with pytest.raises(BadDefinition, match="direct"):
        browsing.latest(stream="INDIRECT", subjects=[])


def test_market_data_is_shown_decoded_and_headers_are_told(broker, make_stream):
    make_stream("SEEN_MARKET", subjects=["market.seen.>"])
    trade = Trade(venue="seen", symbol="BTCUSDT", price=6173763, price_exponent=-2)
    services.link().publish_stored("market.seen.BTCUSDT.trade", trade.SerializeToString())

    (row,) = browsing.messages(stream="SEEN_MARKET").rows

    assert (row.kind, row.shown["price"], row.truncated) == ("protobuf", "61737.63", False)
    assert row.headers == {}


def test_the_last_of_each_subject(stream):
    page = browsing.latest(stream=stream, subjects=["look.*.x"], limit=3)
    whole = browsing.latest(stream=stream, subjects=["look.1.x", "look.2.x"])

    assert (seqs(page), page.complete) == ([94, 95, 96], False)
    assert (seqs(whole), whole.complete, whole.rows[0].shown) == ([99, 100], True, 99)
    assert browsing.latest(stream=stream, subjects=["other"]).rows == ()


def test_the_last_of_too_many_subjects_is_refused(broker, make_stream):
    make_stream("MANY", subjects=["many.*"])
    fill(broker, [(f"many.{n}", b"") for n in range(browsing.MOST_SUBJECTS + 1)])

    with pytest.raises(BadDefinition, match="1024"):
        browsing.latest(stream="MANY", subjects=["many.*"])


def test_subjects_are_counted(stream):
    assert browsing.subject_counts(stream=stream, limit=2) == [("look.0.x", 11), ("look.1.x", 12)]
    assert browsing.subject_counts(stream=stream, pattern="look.6.x") == [("look.6.x", 11)]


def test_a_needle_at_the_other_end_is_found_within_the_bounds_of_a_page(broker, make_stream):
    make_stream("HAY", subjects=["hay.>"])
    fill(broker, [("hay.needle", b"!"), *[("hay.stalk", b"") for _ in range(3000)]])

    rows = all_pages(stream="HAY", subject="hay.needle", backwards=True, limit=5)

    assert [row.seq for row in rows] == [1]


def test_large_messages_make_short_pages_that_go_on(broker, make_stream, monkeypatch):
    from streams.broker import watching  # noqa: PLC0415

    monkeypatch.setattr(watching, "PAGE_BYTES", 10_000)
    make_stream("LARGE", subjects=["large"])
    sizes = [1] * 40 + [6000] * 6 + [1] * 3
    fill(broker, [("large", b"x" * size) for size in sizes])

    for backwards in (False, True):
        page = browsing.messages(stream="LARGE", limit=49, backwards=backwards)
        rows = all_pages(stream="LARGE", limit=49, backwards=backwards)

        assert not page.complete
        assert sorted(row.seq for row in rows) == list(range(1, 50))


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"start_seq": 0}, "start_seq"),
        ({"start_seq": 2**64}, "start_seq"),
        ({"start_seq": 1, "since": datetime(2026, 1, 1, tzinfo=UTC)}, "since"),
        ({"since": datetime(2026, 1, 1)}, "since"),  # noqa: DTZ001
        ({"stream": "A.>"}, "stream"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(broker, asked, named):
    with pytest.raises(BadDefinition) as caught:
        browsing.messages(**{"stream": "LOOK", **asked})

    assert caught.value.field == named


def test_what_is_not_there_is_said(stream):
    with pytest.raises(BadSubject):
        browsing.messages(stream=stream, subject="a..b")
    for seq in (50, 1000):
        with pytest.raises(ApiRefused) as no_message:
            browsing.message(stream=stream, seq=seq)
        assert no_message.value.code == 10037
    with pytest.raises(ApiRefused) as no_stream:
        browsing.messages(stream="NOWHERE")
    assert no_stream.value.code == 10059
