"""
The window: which publishes are on their way, which wait for room, and what became of each.

At most `size` are without a confirm; what is beyond waits and is sent as confirms come in. It knows
neither sockets nor clocks: the thread that runs the link calls it, and nobody else does. It begins
shut, and sends nothing until it is opened.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

from msgspec import Struct

from accounts.publish.outlet import Counts

# Publishes without a confirm.
SIZE = 1000
# Publishes that wait for room. Beyond it they are shed: their senders come again.
MOST_WAITING = 50_000

Outcome = Literal["confirmed", "returned", "nacked", "unknown", "shed"]

RETURNED = "returned: no queue takes "
NACKED = "refused by RabbitMQ: a queue is full"


def said_by_broker(answer: str) -> bool:
    """Return whether the broker gave this answer, and not our clock or a lost link."""
    return answer in ("", NACKED) or answer.startswith(RETURNED)


class Parcel(Struct, frozen=True):
    """One publish. `letters` is how many messages it holds."""

    id: str
    key: str
    payload: bytes
    letters: int = 1
    headers: Mapping[str, Any] | None = None


class Job:
    """
    Parcels that one caller waits for.

    `answers` holds, by position, "" once a parcel is confirmed or why it is not; the thread of the
    link alone writes it, and once `done` is set nothing changes any more.
    """

    def __init__(self, parcels: Sequence[Parcel]) -> None:
        self.parcels = parcels
        self.answers: list[str | None] = [None] * len(parcels)
        self.next = 0
        self.end = len(parcels)
        self.left = len(parcels)
        self.done = threading.Event()
        self.settled_before = 0
        self.timer: Any = None


class Window:
    """
    Args:
        send: Hands parcels to the broker, in order; must not answer before it returns.
        finished: Told of each job whose last parcel was answered.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Parcel]], None],
        finished: Callable[[Job], None],
        *,
        size: int = SIZE,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._send = send
        self._finished = finished
        self._size = size
        self._most_waiting = most_waiting
        self._open = False
        self._tag = 0
        self._settled = 0
        self._sent: dict[int, tuple[Job, int]] = {}
        self._waiting: deque[Job] = deque()
        self._waits = 0
        self._returned: Counter[str] = Counter()
        self._counts: dict[Outcome, int] = dict.fromkeys(get_args(Outcome), 0)

    @property
    def in_flight(self) -> int:
        return len(self._sent)

    @property
    def waiting(self) -> int:
        return self._waits

    def counts(self) -> Counts:
        """Return what became of letters so far. Any thread may ask."""
        return Counts(**self._counts)

    def open(self) -> None:
        """Begin to send; the broker counts from one."""
        self._open = True
        self._tag = 0
        self.fill()

    def take(self, job: Job) -> None:
        """Accept a job, as far as there is room to wait, and send what the window allows."""
        room = self._most_waiting - self._waits
        if job.end > room:
            job.end = max(0, room)
            reason = f"never sent: {self._most_waiting} publishes wait already"
            for index in range(job.end, len(job.parcels)):
                self._answer(job, index, "shed", reason)
        job.settled_before = self._settled
        if job.end:
            self._waiting.append(job)
            self._waits += job.end
            self.fill()

    def refuse(self, job: Job, reason: str) -> None:
        """Answer a job that will not be sent at all."""
        job.end = 0
        for index in range(len(job.parcels)):
            self._answer(job, index, "shed", f"never sent: {reason}")

    def fill(self) -> None:
        """Send what waits, as far as the window allows."""
        sent, waiting = self._sent, self._waiting
        parcels: list[Parcel] = []
        while waiting and len(sent) < self._size and self._open:
            job = waiting[0]
            index = job.next
            job.next = index + 1
            if job.next == job.end:
                waiting.popleft()
            self._tag += 1
            sent[self._tag] = (job, index)
            parcels.append(job.parcels[index])
        if parcels:
            self._waits -= len(parcels)
            self._send(parcels)

    def returned(self, parcel_id: str) -> None:
        """Note that the broker found no queue. Its acknowledgement follows, and means nothing."""
        self._returned[parcel_id] += 1

    def settle(self, tag: int, *, multiple: bool, refused: bool) -> None:
        """Take a confirm, then use the room that it makes. One that comes late changes nothing."""
        if multiple:
            tags = []
            for sent in self._sent:
                if sent > tag:
                    break
                tags.append(sent)
        else:
            tags = [tag]
        self._settled += len(tags)
        for each in tags:
            if entry := self._sent.pop(each, None):
                self._settle(*entry, refused=refused)
        self.fill()

    def expire(self, job: Job) -> bool:
        """
        Answer what is unanswered: the deadline has passed.

        Return whether the window is choked: full, and nothing came back since the job was taken.
        """
        if job in self._waiting:
            self._waiting.remove(job)
            self._waits -= job.end - job.next
        for index in range(job.next, job.end):
            self._answer(job, index, "shed", "never sent: no room within the deadline")
        for index in range(job.next):
            self._answer(job, index, "unknown", "no confirm in time")
        return len(self._sent) >= self._size and self._settled == job.settled_before

    def shed(self, reason: str) -> None:
        """Answer all that waits: it will not be sent."""
        jobs = list(self._waiting)
        self._waiting.clear()
        self._waits = 0
        for job in jobs:
            job.end = job.next
            for index in range(job.next, len(job.parcels)):
                self._answer(job, index, "shed", f"never sent: {reason}")

    def shut(self, reason: str) -> None:
        """Stop sending and answer what was sent: no confirm of it can come any more."""
        self._open = False
        sent = list(self._sent.values())
        self._sent.clear()
        self._returned.clear()
        for job, index in sent:
            self._answer(job, index, "unknown", f"in doubt: {reason}")

    def _settle(self, job: Job, index: int, *, refused: bool) -> None:
        parcel = job.parcels[index]
        if self._returned and parcel.id in self._returned:
            self._returned -= Counter([parcel.id])
            self._answer(job, index, "returned", f"{RETURNED}{parcel.key}")
        elif refused:
            self._answer(job, index, "nacked", NACKED)
        else:
            self._answer(job, index, "confirmed", "")

    def _answer(self, job: Job, index: int, outcome: Outcome, reason: str) -> None:
        if job.answers[index] is not None:
            return
        job.answers[index] = reason
        self._counts[outcome] += job.parcels[index].letters
        job.left -= 1
        if not job.left:
            self._finished(job)
