from __future__ import annotations

import asyncio
import json
import re
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.broker.dispatch import Dispatch
from streams.broker.ledger import ROOM, Ledger
from streams.core.errors import BadSubject, TooLarge

INBOX = "_INBOX.test."
MESSAGE = re.compile(rb"(H?)PUB (\S+) (\S+) (?:(\d+) )?(\d+)\r\n")


class Stream:
    """A stream as nats-server 2.15 keeps it on one node: see `processJetStreamFastBatchMsg`."""

    def __init__(self, name, *, batched=True, knows_batches=True, flow=4):
        self.name = name
        self.flow = flow
        self.batched = batched
        self.knows_batches = knows_batches
        self.full = False
        self.max_bytes = 1_000
        self.stored: list[tuple[str, bytes]] = []
        self.ids: set[str] = set()
        self.batches: dict[str, int] = {}

    def take(self, subject, header, payload, reply):
        tokens = reply[len(INBOX) :].split(".")
        if tokens[-1] != "$FI" or not self.knows_batches:
            return self._single(subject, header, payload)
        assert tokens[2] == "fail"
        return self._batched(subject, header, payload, tokens)

    def _single(self, subject, header, payload):
        if refusal := self._refusal(header, payload):
            return [self._error(refusal)]
        duplicate = self._store(subject, header, payload)
        answer = {"stream": self.name, "seq": len(self.stored)}
        return [answer | ({"duplicate": True} if duplicate else {})]

    def _batched(self, subject, header, payload, tokens):  # noqa: PLR0911
        if not self.batched:
            return [self._error(10205)]
        if len(header) + len(payload) > self.max_bytes:
            return [self._error(10054)]
        batch, asked_flow, _, sequence, operation, _ = tokens
        sequence, flow = int(sequence), min(self.flow, int(asked_flow))
        if batch not in self.batches and sequence != 1:
            return [self._error(10208)]
        begun = [] if batch in self.batches else [{"type": "ack", "seq": 0, "msgs": flow}]
        last = self.batches.setdefault(batch, 0)
        if operation == "4" and sequence <= last:
            return [{"type": "ack", "seq": last // flow * flow, "msgs": flow}]
        if operation == "4" or sequence != last + 1:
            return [*self._gap(last + 1, sequence), self._end(batch)]
        if operation == "3":
            return [self._end(batch)]
        if self._refusal(header, payload):
            return self._batch_refused(batch, sequence)
        self.batches[batch] = sequence
        self._store(subject, header, payload)
        if operation == "2":
            return [self._end(batch)]
        return begun + [{"type": "ack", "seq": sequence, "msgs": flow}] * (sequence % flow == 0)

    def _batch_refused(self, batch, sequence):
        error = self._error(10077)
        if sequence == 1:
            del self.batches[batch]
            return [error]
        return [{"type": "err", "seq": sequence, "error": error["error"]}, self._end(batch)]

    def _refusal(self, header, payload):
        if len(header) + len(payload) > self.max_bytes:
            return 10054
        return 10077 if self.full and self._id(header) not in self.ids else 0

    def _store(self, subject, header, payload):
        if self._id(header) in self.ids:
            return True
        self.ids |= {self._id(header)} - {""}
        self.stored.append((subject, payload))
        return False

    def _end(self, batch):
        return {"stream": self.name, "seq": 9, "batch": batch, "count": self.batches.pop(batch)}

    def _error(self, code):
        return {"stream": self.name, "seq": 0, "error": {"err_code": code, "description": "no"}}

    @staticmethod
    def _gap(expected, found):
        return [{"type": "gap", "last_seq": expected, "seq": found}] if found > expected else []

    @staticmethod
    def _id(header):
        return header.split(b"Nats-Msg-Id: ")[1].split(b"\r\n")[0].decode() if header else ""


class World:
    """A server, a wire that may break, and a clock that stands still until it is told to go."""

    def __init__(self, window=16, ack_s=1.5, **streams):
        self.ledger = Ledger(max_waiting=1_000, max_bytes=1_000_000)
        self.dispatch = Dispatch(
            self.ledger,
            inbox=INBOX,
            mark="m",
            window=window,
            ack_s=ack_s,
            dice=lambda: 0.5,
            on_news=lambda _: None,
        )
        self.dispatch.max_payload = 2_000
        self.now_s = 100.0
        # The first token of a subject says which stream it belongs to.
        self.streams = streams
        self.all = dict(streams)
        self.mute: set[str] = set()
        self.up: deque[tuple[str, bytes, bytes, str]] = deque()
        self.down: deque[tuple[str, bytes, str | None]] = deque()
        self.submitted: list[tuple[str, bytes]] = []

    def submit(self, subject, size=0):
        payload = b"%d" % len(self.submitted) + b"." * size
        self.submitted.append((subject, payload))
        return self.dispatch.submit(subject, payload, f"id-{len(self.submitted)}")

    def write(self):
        for blob in self.dispatch.work(self.now_s):
            at = 0
            while at < len(blob):
                line = MESSAGE.match(blob, at)
                assert line, blob[at:]
                header_bytes, total = int(line[4] or 0), int(line[5])
                assert bool(header_bytes) == (line[1] == b"H")
                body = blob[line.end() : line.end() + total]
                at = line.end() + total + 2
                assert blob[at - 2 : at] == b"\r\n"
                header, payload = body[:header_bytes], body[header_bytes:]
                self.up.append((line[2].decode(), header, payload, line[3].decode()))

    def serve(self, count=1):
        for _ in range(min(count, len(self.up))):
            subject, header, payload, reply = self.up.popleft()
            if subject in self.mute:
                continue
            stream = self.streams.get(subject.split(".")[0])
            if stream is None:
                self.down.append((reply, b"", "503"))
                continue
            for answer in stream.take(subject, header, payload, reply):
                self.down.append((reply, json.dumps(answer).encode(), None))

    def hear(self, count=1):
        for _ in range(min(count, len(self.down))):
            self.dispatch.answered(*self.down.popleft(), self.now_s)

    def cut(self):
        self.up.clear()
        self.down.clear()
        for stream in self.streams.values():
            stream.batches.clear()
        self.dispatch.on_new_link(self.dispatch.max_payload)

    # What may go wrong, all of it with the stream "a".

    def full(self, yes):
        self.all["a"].full = yes

    def gone(self, yes):
        self.streams.pop("a", None)
        if not yes:
            self.streams["a"] = self.all["a"]

    def batched(self, yes):
        self.all["a"].batched = yes

    def moved(self):
        self.all["a"].name += "2"

    def muted(self, yes):
        self.mute = {"a.x"} if yes else set()

    def large(self):
        self.submit("a.y", size=1_100)

    def submit_many(self, subject, count):
        for _ in range(count):
            self.submit(subject)

    def wait(self, seconds):
        self.now_s += seconds
        self.write()

    def settle(self, within=4_000):
        for _ in range(within):
            self.write()
            self.serve(10_000)
            self.hear(10_000)
            self.now_s += 0.01
            if not (self.ledger.waiting or self.ledger.in_flight or self.up or self.down):
                return
        raise AssertionError(f"not settled: {self.ledger.counters()}")

    def of(self, subject):
        return [record for record in self.submitted if record[0] == subject]


def stored_of(stream, subject):
    return [record for record in stream.stored if record[0] == subject]


SUBJECTS = ("a.x", "a.y", "b.x")

steps = st.lists(
    st.one_of(
        st.tuples(st.just("submit_many"), st.sampled_from(SUBJECTS), st.integers(1, 30)),
        st.tuples(st.just("write")),
        st.tuples(st.just("serve"), st.integers(1, 20)),
        st.tuples(st.just("hear"), st.integers(1, 5)),
        st.tuples(st.just("wait"), st.sampled_from((0.001, 0.01, 0.4, 2.0))),
        st.tuples(st.just("cut")),
    ),
    max_size=60,
)
troubles = st.lists(
    st.one_of(
        st.tuples(st.just("full"), st.booleans()),
        st.tuples(st.just("gone"), st.booleans()),
        st.tuples(st.just("batched"), st.booleans()),
        st.tuples(st.just("muted"), st.booleans()),
        st.tuples(st.just("large")),
        st.tuples(st.just("moved")),
    ),
    max_size=6,
)


def play(world, step):
    name, *arguments = step
    getattr(world, name)(*arguments)


@pytest.mark.parametrize("batched", [True, False])
@given(steps)
def test_whatever_the_link_does_all_is_stored_once_and_in_order(batched, script):
    world = World(a=Stream("A", batched=batched), b=Stream("B", batched=batched))
    for step in script:
        play(world, step)

    world.settle()

    for subject in SUBJECTS:
        assert stored_of(world.streams[subject[0]], subject) == world.of(subject)
    counters = world.ledger.counters()
    assert counters.submitted == counters.acknowledged == len(world.submitted)
    assert (counters.in_flight, counters.waiting, counters.rejected) == (0, 0, 0)
    assert world.ledger.bytes == 0


@given(st.data())
@settings(max_examples=300)
def test_whatever_the_streams_do_all_is_stored_once_or_rejected(data):
    world = World(a=Stream("A"), b=Stream("B"))
    for trouble in data.draw(troubles):
        for step in data.draw(steps):
            play(world, step)
        play(world, trouble)
    world.gone(False)
    world.full(False)
    world.muted(False)

    world.settle()

    large = [record for record in world.submitted if len(record[1]) > 1_000]
    expected = [record for record in world.submitted if record not in large]
    stored = world.streams["a"].stored + world.streams["b"].stored
    assert sorted(stored) == sorted(expected)
    counters = world.ledger.counters()
    assert (counters.acknowledged, counters.rejected) == (len(expected), len(large))
    assert world.ledger.bytes == 0


def test_a_server_that_knows_no_batches_has_every_record_acknowledged():
    world = World(a=Stream("A", knows_batches=False))
    for _ in range(200):
        world.submit("a.x")

    world.settle()

    assert world.streams["a"].stored == world.submitted
    # Only the probe went as a batch, and was stored as an ordinary message.
    assert world.ledger.counters().batched == 1
    assert world.ledger.counters().resent == 0


def test_a_stream_that_takes_no_batches_is_asked_again_later():
    world = World(a=Stream("A", batched=False))
    for seconds, batched, expected in ((0.0, True, 0), (61.0, True, 0), (0.0, True, 50)):
        for _ in range(50):
            world.submit("a.x")
        world.settle()
        assert world.ledger.counters().batched == expected
        world.batched(batched)
        world.now_s += seconds
    assert world.ledger.counters().refused == 0


def test_a_record_without_an_id_has_no_header():
    world = World(a=Stream("A"))
    for number in range(100):
        payload = b"%d" % number
        world.submitted.append(("a.x", payload))
        world.dispatch.submit("a.x", payload, "" if number % 3 else f"id-{number}")
    taken = []
    for _ in range(20):
        world.write()
        taken += [bool(header) for _, header, _, _ in world.up]
        world.serve(100)
        world.hear(100)
        world.now_s += 0.01

    assert taken == [number % 3 == 0 for number in range(100)]
    assert world.streams["a"].stored == world.submitted


def test_many_records_cost_few_answers():
    world = World(window=2_000, a=Stream("A", flow=500))
    world.submit("a.x")
    world.settle()
    for _ in range(300):
        world.submit("a.x")
    world.settle()
    for _ in range(300):
        world.submit("a.x")
    world.now_s += 1

    world.write()
    written = [reply.split(".")[-2] for _, _, _, reply in world.up]

    assert written == ["0"] + ["1"] * 298 + ["2"]


def test_the_window_is_never_exceeded():
    world = World(window=16, a=Stream("A"))
    for _ in range(300):
        world.submit("a.x")
    for _ in range(2_000):
        world.write()
        assert world.ledger.in_flight <= 16
        world.serve(3)
        world.hear(1)
        world.now_s += 0.001

    assert world.streams["a"].stored == world.submitted


def test_large_records_do_not_wait_for_an_answer_that_only_many_would_bring():
    world = World(window=2_000, a=Stream("A", flow=500))
    world.dispatch.max_payload = world.streams["a"].max_bytes = 1_000_000
    for _ in range(60):
        world.submit("a.x", size=200_000)
    # The first goes alone, another tries a batch; then the server is slow for a while.
    for served in (1, 1, *[0] * 200, *[1_000] * 200):
        world.write()
        assert sum(len(payload) for _, _, payload, _ in world.up) <= 5 * 1024 * 1024
        world.serve(served)
        world.hear(1_000)
        world.now_s += 0.001

    assert world.streams["a"].stored == world.submitted
    assert world.ledger.counters().resent == 0


def test_a_publisher_is_slowed_down_by_the_server():
    world = World(window=2_000, a=Stream("A"))
    for _ in range(1_000):
        world.submit("a.x")
    world.write()  # The first record alone,
    world.serve(1)
    world.hear(1)
    world.write()  # then one to try a batch,
    world.serve(1)
    world.hear(1)
    world.write()  # and the server acknowledges each four.

    assert world.ledger.in_flight == 16


def test_a_lost_batch_is_asked_after_long_before_its_time_is_over():
    world = World(ack_s=60, a=Stream("A"))
    for _ in range(50):
        world.submit("a.x")
    world.settle()
    for _ in range(10):
        world.submit("a.x")
    world.now_s += 0.01
    world.write()
    world.up.clear()  # As when the leader of the stream dies.
    began_s = world.now_s

    world.settle()

    assert world.now_s - began_s < 2
    assert world.streams["a"].stored == world.submitted


def test_a_stream_that_comes_back_is_found_at_once():
    world = World(a=Stream("A"))
    world.submit("a.x")
    world.settle()
    world.gone(True)
    for _ in range(50):
        world.submit("a.x")
    for _ in range(5):
        world.write()
        world.serve(100)
        world.hear(100)
        world.now_s += 0.01
    world.gone(False)
    began_s = world.now_s

    world.settle()

    assert world.now_s - began_s < 0.2
    assert world.ledger.counters().refused >= 3
    assert world.streams["a"].stored == world.submitted


def test_a_subject_that_nobody_takes_holds_up_no_other():
    world = World(a=Stream("A"))
    world.mute = {"a.secret"}
    for _ in range(20):
        world.submit("a.secret")
        world.submit("nowhere.x")
        world.submit("a.x")

    for _ in range(300):
        world.write()
        world.serve(1_000)
        world.hear(1_000)
        world.now_s += 0.01

    assert stored_of(world.streams["a"], "a.x") == world.of("a.x")
    assert world.ledger.counters().in_flight == 2
    assert world.ledger.counters().waiting == 38


def test_a_subject_that_becomes_forbidden_lets_the_others_go_on():
    world = World(a=Stream("A"))
    for _ in range(100):
        world.submit("a.x")
        world.submit("a.secret")
    world.settle()
    world.mute = {"a.secret"}
    for _ in range(100):
        world.submit("a.x")
        world.submit("a.secret")

    for _ in range(1_500):
        world.write()
        world.serve(1_000)
        world.hear(1_000)
        world.now_s += 0.01

    assert sorted(stored_of(world.streams["a"], "a.x")) == sorted(world.of("a.x"))
    world.mute = set()
    world.settle()
    assert stored_of(world.streams["a"], "a.secret") == world.of("a.secret")


def test_records_that_were_large_in_mid_batch_leave_the_order_of_the_others():
    world = World(a=Stream("A"))
    for number in range(100):
        world.submit("a.x", size=1_100 if number % 7 == 3 else 0)

    world.settle()

    expected = [record for record in world.submitted if len(record[1]) < 1_000]
    assert world.streams["a"].stored == expected
    assert world.ledger.counters().rejected == 14


def test_bad_records_are_refused_and_not_counted():
    world = World()
    with pytest.raises(BadSubject):
        world.dispatch.submit("market.*", b"", "id")
    with pytest.raises(BadSubject):
        world.dispatch.submit("a.x", b"", "id\r\nPUB x 0")
    with pytest.raises(TooLarge):
        world.dispatch.submit("a.x", bytes(2_000), "id")

    assert world.ledger.counters().submitted == 0


def test_subjects_without_end_are_forgotten_when_they_are_not_used():
    world = World(a=Stream("A"))
    world.dispatch._routes._generation = 10
    for number in range(100):
        world.submit(f"a.{number}")
        world.settle()
    # One that nobody takes is kept, or its records would be stored out of order.
    world.submit("nowhere.x")
    for number in range(100):
        world.submit(f"a.{number}")
    for _ in range(200):
        world.write()
        world.serve(1_000)
        world.hear(1_000)
        world.now_s += 0.01
    world.submit("nowhere.x")
    world.streams["nowhere"] = Stream("N")
    world.settle()
    for number in range(30):
        world.submit(f"a.{number}")
        world.settle()

    assert world.streams["nowhere"].stored == world.of("nowhere.x")
    assert len(world.dispatch._routes.young) + len(world.dispatch._routes._old) <= 21
    assert len(world.streams["a"].stored) == 230


async def test_room_and_drain_follow_what_is_kept():
    world = World(a=Stream("A"))
    answers = [world.submit("a.x") for _ in range(1_001)]
    assert answers == [True] * 999 + [False] * 2
    waiting = asyncio.ensure_future(world.ledger.room.wait())
    await asyncio.sleep(0)
    assert not waiting.done()

    world.settle()

    await waiting
    await asyncio.wait_for(world.ledger.until_settled(), 1)


def test_who_waits_for_room_in_a_large_buffer_need_not_wait_for_half_of_it():
    ledger = Ledger(max_waiting=50_000, max_bytes=1_000_000_000)
    for _ in range(50_000):
        ledger.took(1)
    assert not ledger.room.is_set()

    ledger.wrote(ROOM - 1)
    assert not ledger.room.is_set()
    ledger.wrote(1)
    assert ledger.room.is_set()
