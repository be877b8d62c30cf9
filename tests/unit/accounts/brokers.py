"""A broker in memory, for tests of what stands above brokers."""

from __future__ import annotations

from accounts.core.errors import BrokerAway
from tests.unit.accounts.consumer import Consumer


class MemoryBroker:
    """An `Outlet`. Refuses everything while `away` holds a reason, and the ids in `refused`."""

    def __init__(self, name="nats"):
        self.name = name
        self.consumer = Consumer()
        self.away = ""
        self.lost = None
        self.refused = {}
        self.fails_on_publish = ""

    def lost_at(self):
        return self.lost

    def check(self, within_s):
        if self.away:
            raise BrokerAway(self.away)

    def publish(self, messages, within_s):
        self.check(within_s)
        if self.fails_on_publish:
            raise BrokerAway(self.fails_on_publish)
        for message in messages:
            if message.account not in self.refused:
                self.consumer.feed(message.payload)
        return [self.refused.get(message.account, "") for message in messages]
