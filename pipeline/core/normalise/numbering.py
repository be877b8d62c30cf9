"""
The subjects of one source, and how far each is numbered.

A subject that is left keeps its number: within an epoch it is never used twice, also when somebody
subscribes again.
"""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

from pipeline.core.topic import Topic
from streams.core.errors import BadSubject
from streams.core.templates import Templates

# (type of data, symbol, interval)
Key: TypeAlias = tuple[str, str, str]

# More than any venue has; a peer that makes symbols up gets no further.
MAX_OPEN = 50_000
# Subjects that were left: options that expired, for example. The oldest go first.
MAX_LEFT = 20_000


class Numbering:
    def __init__(self, venue: str, templates: Templates, epoch: int) -> None:
        self._venue = venue
        self._templates = templates
        self._epoch = epoch
        self._open: dict[Key, Topic] = {}
        self._left: dict[Key, Topic] = {}
        # Of subjects that are forgotten, and of the same source with other settings.
        self._before: Counter[str] = Counter()
        # By subject: how far it was numbered by the same source with other settings.
        self._numbers: dict[str, int] = {}

    def topic(self, key: Key) -> Topic:
        """
        Return the topic, made anew or taken up again.

        Raises:
            BadSubject: Its symbol can be no part of a subject, or there are too many.
        """
        if (topic := self._open.get(key)) is not None:
            return topic
        if len(self._open) >= MAX_OPEN:
            raise BadSubject(f"one source has at most {MAX_OPEN} subjects")
        topic = self._left.pop(key) if key in self._left else self._begin(key)
        self._open[key] = topic
        return topic

    def leave(self, key: Key) -> None:
        if (topic := self._open.pop(key, None)) is None:
            return
        self._left[key] = topic
        if len(self._left) > MAX_LEFT:
            oldest = self._left.pop(next(iter(self._left)))
            self._before[oldest.data_type] += _data(oldest)

    def left(self, key: Key) -> bool:
        """Return whether this subject was left and not taken up again."""
        return key in self._left

    def published(self) -> dict[str, int]:
        """Return how many messages with data were handed to the broker, by type of data."""
        found = Counter(self._before)
        for topics in (self._open, self._left):
            for topic in topics.values():
                found[topic.data_type] += _data(topic)
        return {data_type: count for data_type, count in found.items() if count}

    def go_on_from(self, before: Numbering) -> None:
        """Take over the numbers of the same source with other settings."""
        self._before = Counter(before.published())
        if before._epoch == self._epoch:
            topics = (*before._left.values(), *before._open.values())
            self._numbers = before._numbers | {topic.subject: topic.local_seq for topic in topics}

    def _begin(self, key: Key) -> Topic:
        data_type, symbol, interval = key
        topic = Topic(self._templates, self._venue, symbol, data_type, interval, epoch=self._epoch)
        # Those messages are counted already.
        topic.local_seq = topic.controls = self._numbers.pop(topic.subject, 0)
        return topic


def _data(topic: Topic) -> int:
    return topic.local_seq - topic.controls
