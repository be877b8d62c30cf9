from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from accounts.publish.deadletters import DeadLetter, dead_letter

UUID = "6b1f8f1e-6a52-4a0e-9d0d-0c1a5b1f9f10"

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["x-death", "number", "kind", "server", "login", "accountId"])


def test_a_letter_of_ours_is_read_in_full():
    found = dead_letter(
        "event.position.opened.0",
        "m-1",
        {
            "kind": "position.opened", "number": 7, "server": "S", "login": "1",
            "x-death": [{"reason": "rejected", "count": 2}, {"reason": "expired", "count": 1}],
        },
        b'{"accountId":"%s"}' % UUID.encode(),
    )  # fmt: skip

    assert found == DeadLetter(
        message_id="m-1", routing_key="event.position.opened.0", account_id=UUID, server="S",
        login="1", kind="position.opened", number=7, reason="rejected", deaths=3,
        payload=b'{"accountId":"%s"}' % UUID.encode(),
    )  # fmt: skip


def test_without_headers_the_body_tells_what_it_can():
    found = dead_letter("k", None, None, b'{"kind":"order.placed","number":3,"login":"5"}')

    assert (found.kind, found.number, found.login) == ("order.placed", 3, "5")
    assert (found.message_id, found.account_id, found.deaths) == ("", "", 1)


@given(
    st.none() | st.text(), st.none() | st.dictionaries(names, anything),
    st.binary() | st.dictionaries(names, st.integers() | st.text()).map(msgspec.json.encode),
)  # fmt: skip
def test_whatever_strangers_put_into_a_letter_it_is_kept_and_bounded(message_id, headers, payload):
    found = dead_letter("event.x.0", message_id, headers, payload)

    assert found.payload == payload
    assert found.number is None or 0 <= found.number < 2**63
    assert found.deaths >= 1
    texts = (found.message_id, found.server, found.login, found.kind, found.reason)
    assert all(len(text) <= 64 and "\0" not in text for text in texts)
    assert len(found.account_id) in (0, 36)
