"""
Records of one stream, in order.

They go in fast batches (ADR-50), one after the other: a batch is committed by the last record that
waits, so it is as long as there is more to send. One at a time and `fail` on a gap, because then
nothing is ever stored in front of what it must follow: behind a record that a batch lacks, the
server stores no other. A record that waits alone goes as an ordinary message.

A batch answers after every so many records, and at its end with the count of what is stored. What
is left over goes again, each for an answer of its own: the oldest alone first, then the rest. Not
in a batch: a clustered stream counts a repeated record as stored while its first copy is still on
its way to the other servers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from streams.broker import wire
from streams.broker.answers import NOT_BATCHED, REFUSED_FOR_GOOD, Answer, Refusal
from streams.broker.batches import Batch, Flush
from streams.broker.ones import ASK_S, Ones, Terms
from streams.broker.records import NEVER_S, Record, Sender

logger = logging.getLogger(__name__)

FLUSH = 500
FLUSH_S = 0.002
FLUSH_BYTES = 1024 * 1024
IN_FLIGHT_BYTES = 4 * FLUSH_BYTES
# How many answers of the server may be on their way.
OUTSTANDING = 4

# A server may learn to take batches, or a stream be allowed to.
PROBE_AGAIN_S = 60.0


class Lane(Sender):
    def __init__(self, stream: str, terms: Terms, scatter: Callable[[Lane], None]) -> None:
        """
        Args:
            scatter: Called when the stream did not take a record, or is another one now: it must
                `take_all` and have each subject learn anew.
        """
        super().__init__(next(terms.keys))
        self.stream = stream
        self._terms = terms
        terms.awaiting[self.key] = self
        self._scatter = scatter
        self._ones = Ones(b"%b%b." % (terms.inbox, self.key.encode()))
        self._batch: Batch | None = None
        # None: not known.
        self.batched: bool | None = None
        self._probe_again_s = 0.0
        self._told = False
        self._ask_flow = max(1, min(FLUSH, terms.window // OUTSTANDING))
        self._flow = self._ask_flow
        self._flushed_s = 0.0

    def work(self, now_s: float) -> bytes:
        self.due_s = NEVER_S
        out: list[bytes] = []
        if self._batch is not None:
            self._go_on(self._batch, out, now_s)
        elif self._ones:
            self._go_on_singly(out, now_s)
        elif self.tails and self._is_time(now_s):
            self._begin(out, now_s)
        return b"".join(out)

    def next_s(self) -> float:
        if self._batch is not None:
            # Its end is awaited: until then nothing is written.
            return NEVER_S if self._batch.committed and not self._batch.closing else 0.0
        if self._ones or len(self.tails) >= FLUSH:
            return 0.0
        return self._next_flush_s if self.tails else NEVER_S

    def answered(self, tokens: list[str], answer: Answer, now_s: float) -> None:
        if tokens[0] == self.key:
            self._single_answered(int(tokens[1]), answer, now_s)
        elif self._batch is not None and self._batch.key == tokens[0]:
            self._batch_answered(self._batch, int(tokens[4]), answer, now_s)
        self._terms.stir(self)

    def drop_written(self, longest: int) -> list[Record]:
        return self._ones.drop(longest)

    def on_new_link(self) -> None:
        self.batched = None  # The server may be another one.
        if self._batch is not None:
            self._end(self._batch, self._batch.acked)
        self._ones.lose()

    def take_all(self) -> tuple[list[Record], list[Record]]:
        """Return the records that were written, and those that wait."""
        if self._batch is not None:
            self._end(self._batch, self._batch.acked)
        return self._ones.take_all(), self.take_waiting()

    # Batches.

    def _begin(self, out: list[bytes], now_s: float) -> None:
        if self.batched is False and now_s >= self._probe_again_s:
            self.batched = None
        if len(self.tails) == 1:
            self._write_singly(out, now_s)
            self._ones.alone = True
        elif self.batched is False:
            self._write_singly(out, now_s)
        else:
            self._batch = batch = self._new_batch()
            if batch.probing:
                self._flush(batch, 1, out, now_s)
            else:
                self._append(batch, out, now_s)

    def _new_batch(self) -> Batch:
        key = next(self._terms.keys)
        prefix = b"%b%b.%d.fail." % (self._terms.inbox, key.encode(), self._ask_flow)
        self._terms.awaiting[key] = self
        return Batch(key, prefix, probing=self.batched is None)

    def _go_on(self, batch: Batch, out: list[bytes], now_s: float) -> None:
        if batch.closing and not batch.told:
            batch.told = True
            # One too far: whatever the server had last, it ends the batch there.
            out.append(batch.about(batch.sent + 1, wire.CLOSE))
        elif not (batch.committed or batch.closing or batch.probing):
            self._append(batch, out, now_s)
            if batch.sent == batch.acked:
                return
        quiet_s = now_s - batch.heard_s
        if quiet_s > self._terms.ack_s:
            self._end(batch, batch.acked)
            self._terms.stir(self)
        elif quiet_s > ASK_S and not batch.pinged:
            # A batch that was lost, with the leader of the stream for example, is refused at once.
            batch.pinged = True
            out.append(batch.about(batch.sent, wire.PING))

    def _append(self, batch: Batch, out: list[bytes], now_s: float) -> None:
        # Four answers of the server's own choice may be outstanding: many publishers that write
        # at once are told to go slowly, all of them.
        window = min(self._terms.window, OUTSTANDING * self._flow)
        while self.tails and self._is_time(now_s) and not batch.committed:
            room = window - (batch.sent - batch.acked)
            count = min(len(self.tails), FLUSH, room)
            # A flush worth its while, not one for each record that was acknowledged.
            if room <= 0 or (count == room and room < window // OUTSTANDING):
                break
            self._flush(batch, count, out, now_s)

    def _flush(self, batch: Batch, count: int, out: list[bytes], now_s: float) -> None:
        flush = self._next_flush(count)
        first = batch.wrote(flush, now_s)
        # The server counts records, not bytes: it would let us wait for many more large ones.
        batch.committed = not self.tails or batch.in_flight_bytes >= IN_FLIGHT_BYTES
        self._flushed_s = now_s
        out.append(wire.batch(flush.ways, flush.tails, batch.prefix, first, commit=batch.committed))

    def _next_flush(self, count: int) -> Flush:
        """Return the oldest that wait: so many, or as many as fit."""
        take, take_way = self.tails.popleft, self.ways.popleft
        tails = [take() for _ in range(count)]
        size = sum(map(len, tails))
        while size > FLUSH_BYTES and len(tails) > 1:
            self.tails.appendleft(tails.pop())
            size -= len(self.tails[0])
        ways = [take_way() for _ in tails]
        self._terms.ledger.wrote(len(tails))
        return Flush(ways, tails, size)

    def _is_time(self, now_s: float) -> bool:
        if len(self.tails) >= FLUSH or now_s >= self._next_flush_s:
            return True
        self.due_s = self._next_flush_s
        return False

    @property
    def _next_flush_s(self) -> float:
        return self._flushed_s + max(FLUSH_S, self.linger_s)

    def _batch_answered(self, batch: Batch, operation: int, answer: Answer, now_s: float) -> None:
        batch.heard_s = now_s
        batch.pinged = False
        if answer.error is not None:
            self._batch_refused(batch, operation, answer.error, now_s)
        elif answer.kind == "ack":
            self._flow = max(1, answer.msgs)
            if batch.probing:
                batch.probing = False
                self.batched, self._told = True, False
            self._stored(batch, answer.seq)
        elif answer.batch == batch.key:
            self._end(batch, answer.count)
            if answer.stream != self.stream:
                self._scatter(self)
        elif not answer.kind:
            # A server that knows no batches took it for an ordinary message, and stored it.
            self._take_singles(now_s)
            self._end(batch, 1 if batch.probing else batch.acked)

    def _batch_refused(self, batch: Batch, operation: int, refusal: Refusal, now_s: float) -> None:
        if batch.closing:
            if operation == wire.CLOSE:  # It does not know the batch any more.
                self._end(batch, batch.acked)
            return
        if refusal.code == NOT_BATCHED:
            self._take_singles(now_s)
            self._end(batch, batch.acked)
            return
        # What the stream will never take is found again, alone, and named.
        if refusal.code not in REFUSED_FOR_GOOD:
            self._terms.ledger.refuse(refusal, now_s)
        batch.closing = True

    def _take_singles(self, now_s: float) -> None:
        self.batched = False
        self._probe_again_s = now_s + PROBE_AGAIN_S
        if not self._told:
            self._told = True
            logger.warning(
                "publisher: stream %s takes no fast batches (allow_batched, nats-server 2.14): "
                "slower, since every record is acknowledged alone",
                self.stream,
            )

    def _stored(self, batch: Batch, upto: int) -> None:
        count, size = batch.release(upto)
        if count:
            self._terms.ledger.batched += count
            self._terms.ledger.stored(count, size)

    def _end(self, batch: Batch, upto: int) -> None:
        self._stored(batch, upto)
        self._batch = None
        del self._terms.awaiting[batch.key]
        for record in batch.left():
            self._ones.keep(record)

    # Records on their own.

    def _go_on_singly(self, out: list[bytes], now_s: float) -> None:
        ones, ledger = self._ones, self._terms.ledger
        if ones.unwritten and ones.proven:
            ledger.resent += ones.unwritten
            out.append(ones.write_rest(now_s))
        elif ones.unwritten and not ones.alone:
            ledger.resent += 1
            out.append(ones.write_oldest(now_s))
        elif ones.alone:
            if now_s - ones.oldest_written_s > ASK_S:
                self._scatter(self)
        elif now_s - ones.oldest_written_s > self._terms.ack_s:
            ledger.resent += 1
            out.append(ones.write_oldest(now_s))
        elif self.batched is False and self.tails and self._is_time(now_s):
            self._write_singly(out, now_s)

    def _write_singly(self, out: list[bytes], now_s: float) -> None:
        count = min(len(self.tails), self._terms.window - len(self._ones))
        if count <= 0:
            return
        flush = self._next_flush(count)
        self._flushed_s = now_s
        write = self._ones.write
        out += [write(record, now_s) for record in zip(flush.ways, flush.tails, strict=True)]

    def _single_answered(self, number: int, answer: Answer, now_s: float) -> None:
        record = self._ones.get(number)
        if record is None:
            return  # Sent twice, answered twice.
        if answer.error is None:
            self._terms.ledger.stored(1, len(record[1]))
            self._terms.ledger.duplicates += answer.duplicate
            self._ones.settle(number)
            if answer.stream != self.stream:
                self._scatter(self)
        elif answer.error.code in REFUSED_FOR_GOOD:
            self._terms.ledger.reject(record, answer.error)
            self._ones.settle(number)
        else:
            self._terms.ledger.refuse(answer.error, now_s)
            self._scatter(self)
