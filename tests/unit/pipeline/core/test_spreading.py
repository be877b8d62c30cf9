from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.spreading import spread
from pipeline.core.venues.venue import Channel


def channels(names):
    return [Channel(str(name), "trade", str(name)) for name in names]


SETS = st.lists(st.integers(0, 60), unique=True)


@given(SETS, SETS, st.integers(1, 10))
def test_each_channel_is_on_one_link_and_stays_where_it_was(first, second, per_link):
    before = spread([], channels(first), per_link)

    after = spread(before, channels(second), per_link)

    assert sorted(c.name for link in after for c in link) == sorted(map(str, second))
    assert all(len(link) <= per_link for link in after)
    for link, now in zip(before, after, strict=False):
        assert {c.name for c in link} & set(map(str, second)) <= {c.name for c in now}


def test_no_more_links_than_it_takes():
    assert [len(link) for link in spread([], channels(range(25)), 10)] == [10, 10, 5]
