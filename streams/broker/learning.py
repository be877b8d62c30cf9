"""
Records of a subject whose stream is not known, or did not take them.

The oldest goes alone, again and again; the acknowledgement names the stream. Subjects do not wait
for each other: one that no stream takes, or that is forbidden, holds up nobody else.
"""

from __future__ import annotations

from collections.abc import Callable

from streams.broker.answers import REFUSED_FOR_GOOD, Answer
from streams.broker.ones import ASK_S, Ones, Terms
from streams.broker.records import Record, Route, Sender

BACKOFF_S = 0.05
BACKOFF_CAP_S = 1.0


class Learner(Sender):
    """One subject's records, until its stream took what was in flight."""

    def __init__(
        self, route: Route, terms: Terms, learned: Callable[[Learner, str | None], None]
    ) -> None:
        """
        Args:
            learned: Called once, at the end, with the stream that takes the rest of its records;
                None when there is none left to ask with.
        """
        super().__init__(next(terms.keys))
        self.route = route
        self._terms = terms
        terms.awaiting[self.key] = self
        self._learned = learned
        self._ones = Ones(b"%b%b." % (terms.inbox, self.key.encode()))
        self._attempt = 0
        self.due_s = 0.0

    def keep(self, record: Record) -> None:
        """Take a record that was written, perhaps in vain."""
        self._ones.keep(record)

    def work(self, now_s: float) -> bytes:
        if now_s < self.due_s:
            return b""
        ledger = self._terms.ledger
        if not self._ones:
            if not self.tails:
                return b""
            ledger.wrote(1)
            self.due_s = now_s + self._patience_s()
            return self._ones.write((self.ways.popleft(), self.tails.popleft()), now_s)
        if self._ones.proven and self._ones.unwritten:
            ledger.resent += self._ones.unwritten
            self.due_s = now_s + self._terms.ack_s
            return self._ones.write_rest(now_s)
        ledger.resent += 1
        self._attempt += 1
        self.due_s = now_s + self._patience_s()
        return self._ones.write_oldest(now_s)

    def answered(self, tokens: list[str], answer: Answer, now_s: float) -> None:
        number = int(tokens[1])
        record = self._ones.get(number)
        if record is None:
            return  # Sent twice, answered twice.
        if answer.error is None:
            self._terms.ledger.stored(1, len(record[1]))
            self._terms.ledger.duplicates += answer.duplicate
        elif answer.error.code in REFUSED_FOR_GOOD:
            self._terms.ledger.reject(record, answer.error)
        else:
            self._terms.ledger.refuse(answer.error, now_s)
            self._ask_again(now_s)
            return
        self._ones.settle(number)
        self._attempt = 0
        self._go_on(answer, now_s)

    def drop_written(self, longest: int) -> list[Record]:
        return self._ones.drop(longest)

    def on_new_link(self) -> None:
        self._ones.lose()
        self.due_s = 0.0

    def _go_on(self, answer: Answer, now_s: float) -> None:
        if self._ones:
            # What follows was in flight before: now the stream takes it.
            if self._ones.unwritten:
                self.due_s = now_s
        elif answer.error is None:
            self._learned(self, answer.stream)
        elif self.tails:
            self.due_s = now_s
        else:
            self._learned(self, None)
        self._terms.stir(self)

    def _ask_again(self, now_s: float) -> None:
        self._ones.lose()
        ceiling_s = min(BACKOFF_CAP_S, BACKOFF_S * (1 << min(self._attempt, 16)))
        self.due_s = now_s + ceiling_s * (0.5 + self._terms.dice() / 2)

    def _patience_s(self) -> float:
        return min(self._terms.ack_s, ASK_S * (1 << min(self._attempt, 16)))
