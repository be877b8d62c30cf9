from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import deliveries
from streams.core.deliveries import Place, Told
from streams.core.errors import BadSubject

SHORT = "$JS.ACK.MARKET_DATA.reader.3.1000.999.1763114400250000001.42"
PLACE = Place("MARKET_DATA", "reader", 3, 1000, 999, 1763114400250000001, 42)


@pytest.mark.parametrize(
    "reply",
    [
        SHORT,
        SHORT.replace("ACK.", "ACK._.AbCdEf12."),
        SHORT.replace("ACK.", "ACK.hub.AbCdEf12."),
        SHORT.replace("ACK.", "ACK.hub.AbCdEf12.") + ".rAnDoM",
    ],
)
def test_both_forms_of_an_acknowledging_subject_tell_the_same(reply):
    assert deliveries.place(reply) == PLACE
    assert not reply.startswith(deliveries.first_time(reply))
    assert reply.replace("reader.3.", "reader.1.").startswith(deliveries.first_time(reply))


@given(st.text())
def test_anything_else_is_refused_as_such(text):
    for reply in (text, f"$JS.ACK.{text}", SHORT.replace("1000", text)):
        try:
            found = deliveries.place(reply)
        except BadSubject:
            continue
        assert isinstance(found.stream_seq, int)


@pytest.mark.parametrize(
    ("status", "description", "meaning"),
    [
        ("100", "Idle Heartbeat", Told.ALIVE),
        ("404", "No Messages", Told.OVER),
        ("408", "Request Timeout", Told.OVER),
        ("409", "Batch Completed", Told.OVER),
        ("409", "Message Size Exceeds MaxBytes", Told.OVER),
        ("409", "Consumer Deleted", Told.GONE),
        ("409", "Consumer is push based", Told.REFUSED),
        ("409", "Leadership Change", Told.UNSURE),
        ("409", "Server Shutdown", Told.UNSURE),
        ("409", "Exceeded MaxWaiting", Told.UNSURE),
        ("409", "Exceeded MaxRequestBatch of 10", Told.UNSURE),
        ("400", "Bad Request", Told.REFUSED),
        ("503", "", Told.UNSURE),
        ("599", "something new", Told.UNSURE),
    ],
)
def test_each_status_has_its_meaning(status, description, meaning):
    assert deliveries.told(status, description) is meaning


def test_a_message_is_given_back_at_once_or_later():
    assert deliveries.given_back() == "-NAK"
    assert deliveries.given_back(1.5) == '-NAK {"delay": 1500000000}'


@given(st.text())
def test_no_reason_can_leave_its_line(reason):
    word = deliveries.terminated(reason)

    assert word.startswith("+TERM")
    assert word.isprintable()
    assert len(word) <= len("+TERM ") + deliveries.REASON_CHARACTERS
