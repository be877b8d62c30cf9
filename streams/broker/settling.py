"""What is said of messages that came: each is settled once."""

from __future__ import annotations

import asyncio

from streams.broker.deliveries import Answers, Delivery, Upto
from streams.broker.held import Held
from streams.broker.requests import Requests
from streams.core import deliveries
from streams.core.agreement import Agreement

# Nothing is given back for longer.
GIVE_BACK_CAP_S = 30.0
# What does not come again by then never will: it is purged, or somebody else has it.
COMES_AGAIN_S = 2 * GIVE_BACK_CAP_S


class Settling:
    """
    The owner of each delivery; see `deliveries.Owner`. Where room becomes free, more is asked for.

    Attributes:
        acknowledged, returned, terminated: See `ConsumeCounters`.
    """

    def __init__(
        self, answers: Answers, *, agreement: Agreement, held: Held, requests: Requests
    ) -> None:
        self.acknowledged = self.returned = self.terminated = 0
        self._answers = answers
        self._upto = Upto(answers)
        self._agreement = agreement
        self._held = held
        self._requests = requests

    def settle(self, delivery: Delivery, word: str) -> bool:
        """Return whether it was not settled before."""
        if delivery.settled:
            return False
        delivery.settled = True
        held, agreement, requests = self._held, self._agreement, self._requests
        if held.deliveries.pop(delivery, delivery) is None:
            held.size -= len(delivery.data)
        if word == deliveries.ACK:
            self.acknowledged += 1
            if agreement.policy == "all":
                self._settle_before(delivery)
                self._upto.acknowledge(delivery)
            elif agreement.policy == "explicit":
                self._answers.acknowledge(delivery.reply)
        else:
            self._note_refusal(delivery, word)
            self.answer(delivery.reply, word)
        if requests.wanted <= agreement.batch:
            requests.ask()
        return True

    def answer(self, reply: str, word: str) -> None:
        if self._agreement.policy != "none":
            self._answers.add(reply, word)

    def tell(self) -> None:
        """Give what answers there are."""
        self._upto.tell()
        self._answers.write()

    def _note_refusal(self, delivery: Delivery, word: str) -> None:
        given_back = word.startswith(deliveries.NAK)
        self.returned += given_back
        self.terminated += word.startswith(deliveries.TERM)
        if given_back and self._held.remembers:
            self._held.owed.add(delivery.stream_seq)
        if self._agreement.policy == "all":
            # After its last time it does not come again.
            comes_again = given_back and delivery.deliveries != self._agreement.max_deliver
            until_s = asyncio.get_running_loop().time() + COMES_AGAIN_S
            self._upto.refused(delivery.stream_seq, until_s if comes_again else None)

    def _settle_before(self, delivery: Delivery) -> None:
        held, upto = self._held, delivery.stream_seq
        while held.deliveries:
            earliest = next(iter(held.deliveries))
            if earliest.stream_seq > upto or self._upto.waits_for(earliest.stream_seq):
                return
            del held.deliveries[earliest]
            earliest.settled = True
            held.size -= len(earliest.data)
            self.acknowledged += 1
