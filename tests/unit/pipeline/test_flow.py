from __future__ import annotations

import logging

import pytest
from msgspec import structs

from pipeline.core.messages import Accepted
from pipeline.core.normalise import FetchSnapshot
from pipeline.core.spec import SourceSpec
from pipeline.flow import SAY_AGAIN_NS, Stages
from streams.core import market
from streams.core.errors import TooLarge
from streams.core.templates import scheme
from tests.unit.pipeline.fakes import FakePublisher

SPEC = SourceSpec(
    source_id="binance-test", protocol="websocket", endpoint="ws://x", venue="binance"
)
GOOD = (
    b'{"stream":"x@trade","data":{"e":"trade","E":2,"s":"BTCUSDT","t":7,"p":"1.50","q":"2",'
    b'"T":1,"m":true}}'
)


@pytest.fixture
def publisher():
    return FakePublisher()


@pytest.fixture
def stages(publisher):
    return Stages(SPEC, publisher, clock_ns=lambda: 99)


def test_a_frame_is_published_with_its_three_times(stages, publisher):
    assert stages.accept(GOOD, 50)

    ((subject, payload, msg_id),) = publisher.submitted
    message = market.parse(subject, payload)
    assert (subject, msg_id) == ("market.binance.BTCUSDT.trade", "binance:BTCUSDT:trade:7")
    assert (message.event_ns, message.received_ns, message.published_ns) == (2_000_000, 50, 99)
    assert (stages.received, stages.published, stages.last_message_ns) == (1, 1, 50)


def test_subjects_follow_the_templates_that_came_with_the_source(publisher):
    older = structs.replace(SPEC, templates=scheme("push").texts)

    Stages(older, publisher, clock_ns=lambda: 99).accept(GOOD, 50)

    assert [subject for subject, *_ in publisher.submitted] == ["trade.binance.BTCUSDT"]


def test_a_bad_frame_does_not_end_the_stream(stages, publisher):
    for frame in (b"{", GOOD.replace(b"1.50", b"nan"), b"\xff", GOOD):
        assert stages.accept(frame, 50)

    assert len(publisher.submitted) == 1
    assert stages.undecodable == {"json": 2, "number": 1}
    assert (stages.received, stages.published) == (4, 1)


def test_what_is_of_no_use_is_counted_apart(stages, publisher):
    stages.accept(b'{"result":["x@trade"],"id":1}', 50)
    stages.accept(b'{"stream":"x@miniTicker","data":{}}', 50)

    assert stages.ignored == {"reply": 1, "other kind": 1}
    assert not stages.replies
    assert not publisher.submitted
    assert not stages.undecodable


def test_what_the_venue_says_to_us_is_left_for_the_link(stages, publisher):
    stages.accept(b'{"result":null,"id":1}', 50)

    assert list(stages.replies) == [Accepted(1)]
    assert not stages.ignored
    assert not publisher.submitted


def test_a_full_publisher_is_passed_on(stages, publisher):
    publisher.has_room = False

    assert not stages.accept(GOOD, 50)
    assert stages.published == 1


class PublisherOfSmallMessages(FakePublisher):
    """Takes no message whose identity holds one of these texts."""

    def __init__(self, *large):
        super().__init__()
        self.large = large

    def submit(self, subject, payload, msg_id):
        if any(text in msg_id for text in self.large):
            raise TooLarge(subject, 2, 1)
        return super().submit(subject, payload, msg_id)


def said(publisher):
    """Return the identities of what was submitted, and how each is numbered."""
    return [
        (msg_id, market.parse(subject, payload).local_seq)
        for subject, payload, msg_id in publisher.submitted
    ]


def test_what_the_broker_cannot_take_is_dropped_counted_and_told():
    publisher = PublisherOfSmallMessages("trade:7")
    stages = Stages(SPEC, publisher, clock_ns=lambda: 99)

    assert stages.accept(GOOD, 50)
    assert stages.accept(GOOD.replace(b'"t":7', b'"t":8'), 51)

    assert stages.undecodable == {"TooLarge": 1}
    assert said(publisher) == [
        ("binance:BTCUSDT:trade:gap-0.1", 1),
        ("binance:BTCUSDT:trade:8", 2),
    ]
    gap = market.parse(*publisher.submitted[0][:2]).control
    assert (gap.first_missing, gap.last_missing) == (7, 7)


def test_a_broker_that_takes_nothing_at_all_ends_nothing():
    publisher = PublisherOfSmallMessages("")
    stages = Stages(SPEC, publisher, clock_ns=lambda: 99)

    assert stages.accept(GOOD, 50)

    assert stages.undecodable == {"TooLarge": 2}
    assert stages.published == 0


def test_a_book_whose_snapshot_the_broker_cannot_take_is_told_to_be_broken():
    publisher = PublisherOfSmallMessages("snapshot")
    spec = structs.replace(SPEC, rest_endpoint="http://x")
    stages = Stages(spec, publisher, clock_ns=lambda: 99)
    update = (
        b'{"stream":"x@depth","data":{"e":"depthUpdate","E":2,"s":"BTCUSDT","U":5,"u":6,'
        b'"b":[["1.50","2"]],"a":[]}}'
    )
    stages.accept(update, 50)
    book = stages.venue.snapshot("BTCUSDT", b'{"lastUpdateId":5,"bids":[],"asks":[]}')

    stages.tell(stages.normaliser.snapshot("BTCUSDT", book, 60), 60)

    # Not the update that was to follow: nobody could tell what it changes.
    assert said(publisher) == [("binance:BTCUSDT:orderbook:gap-0.1", 1)]
    assert list(stages.wants) == [FetchSnapshot("BTCUSDT"), FetchSnapshot("BTCUSDT", attempt=2)]
    assert stages.normaliser.book("BTCUSDT") is None


def test_dropped_frames_are_logged_seldom_and_never_shown(stages, caplog):
    secret = b'{"stream":"x@trade","data":{"e":"hush"}}'
    with caplog.at_level(logging.WARNING):
        for n in range(100):
            stages.accept(secret, n)
        stages.accept(secret, SAY_AGAIN_NS)

    assert [record.args[-1] for record in caplog.records] == [1, 101]
    assert "hush" not in caplog.text


def test_a_bug_is_not_swallowed(stages, publisher):
    def break_down(subject, payload, msg_id):
        raise ZeroDivisionError

    publisher.submit = break_down

    with pytest.raises(ZeroDivisionError):
        stages.accept(GOOD, 50)
