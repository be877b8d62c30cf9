"""A broker in memory, for tests of what stands above brokers."""

from __future__ import annotations

from accounts.core.errors import BrokerAway
from accounts.publish.outlet import Counts
from tests.unit.accounts.consumer import Consumer


class MemoryBroker:
    """
    An `Outlet`. Refuses everything while `away` holds a reason, and the accounts in `refused`.

    `events` holds every event as it came, duplicates included.
    """

    def __init__(self, name="nats"):
        self.name = name
        self.consumer = Consumer()
        self.away = ""
        self.lost = None
        self.refused = {}
        self.fails_on_publish = ""
        self.events = []
        self.degraded = ""
        self.counted = {"confirmed": 0, "nacked": 0, "unknown": 0, "shed": 0}

    def lost_at(self):
        return self.lost

    def check(self, within_s):
        if self.away:
            raise BrokerAway(self.away)

    def publish(self, messages, within_s):
        return self._take(messages, lambda m: m.account, lambda m: self.consumer.feed(m.payload))

    def publish_events(self, events, within_s):
        return self._take(events, lambda e: f"{e.server}/{e.login}", self.events.append)

    def counts(self):
        return Counts(**self.counted)

    def warning(self):
        return self.degraded

    def _take(self, letters, account, keep):
        if self.away:
            self.counted["shed"] += len(letters)
            raise BrokerAway(self.away)
        if self.fails_on_publish:
            self.counted["unknown"] += len(letters)
            raise BrokerAway(self.fails_on_publish)
        answers = [self.refused.get(account(letter), "") for letter in letters]
        for letter, answer in zip(letters, answers, strict=True):
            self.counted["nacked" if answer else "confirmed"] += 1
            if not answer:
                keep(letter)
        return answers
