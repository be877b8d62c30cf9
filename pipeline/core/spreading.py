"""Which link carries which channel, when one link cannot carry them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.core.venues.venue import Channel


def spread(
    before: Sequence[Iterable[Channel]], wanted: Iterable[Channel], per_link: int
) -> list[list[Channel]]:
    """
    Return the channels of each link, in the order of the links there are; new ones come last.

    A channel stays where it is. A link may end up with none.

    Args:
        before: What each link carries now.
    """
    missing = {channel.name: channel for channel in wanted}
    links = [
        [missing.pop(channel.name) for channel in link if channel.name in missing]
        for link in before
    ]
    queue = list(missing.values())
    for link in links:
        room = max(per_link - len(link), 0)
        link.extend(queue[:room])
        del queue[:room]
    links += [queue[start : start + per_link] for start in range(0, len(queue), per_link)]
    return links
