"""Terminals and agents that push the accounts of `source` over HTTP while these change."""

from __future__ import annotations

import heapq
import http.client
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from tests.rebuild.source import Terminal, book

TIMEOUT_S = 15.0
AGAIN_S = 0.3
# When a push that changed a book was sent, and which book it is now.
Sent = tuple[float, int]


@dataclass
class Pushed:
    """One account on its way: `books` are those of its last push that was taken in."""

    terminal: Terminal
    account_id: str
    secret: str
    books: dict[str, int] = field(default_factory=dict)
    # Changed, and not taken in yet: since when, by the name of the list.
    waiting: dict[str, Sent] = field(default_factory=dict)


class Source:
    """
    All accounts, and the threads that push them.

    Args:
        every_s: How often each account is pushed, on average.
        agents: Groups of accounts that are pushed in bulk; the others push one by one.
    """

    def __init__(
        self,
        port: int,
        singles: Sequence[Pushed],
        agents: Sequence[Sequence[Pushed]],
        *,
        every_s: float,
        threads: int,
    ) -> None:
        self.happened: Counter[str] = Counter()
        self.pushes = 0
        self.refused: Counter[str] = Counter()
        # How long each request took that was answered.
        self.took_s: list[float] = []
        # By (login, name of the list).
        self.sent: dict[tuple[str, str], list[Sent]] = defaultdict(list)
        self.terminals = [pushed.terminal for pushed in [*singles, *(p for a in agents for p in a)]]
        self._port = port
        self._every_s = every_s
        self._changing = False
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        parts: list[Sequence[Sequence[Pushed]]] = [
            [[pushed] for pushed in singles[number::threads]] for number in range(threads)
        ]
        parts += [[agent] for agent in agents]
        self._threads = [
            threading.Thread(target=self._run, args=(part, number), name="pushing", daemon=True)
            for number, part in enumerate(parts)
            if part
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def change(self, *, on: bool) -> None:
        """Let accounts change, or stand still; they are pushed either way."""
        with self._lock:
            self._changing = on

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S + 1)

    def _run(self, together: Sequence[Sequence[Pushed]], number: int) -> None:
        dice = Random(f"pushing {number}")  # noqa: S311  no secret
        client = _Client(self._port)
        due = [(time.monotonic() + dice.random() * self._every_s, i) for i in range(len(together))]
        heapq.heapify(due)
        while due:
            at, i = heapq.heappop(due)
            if self._stopped.wait(max(0.0, at - time.monotonic())):
                break
            taken = self._push(client, together[i])
            pause_s = self._every_s * (0.5 + dice.random()) if taken else AGAIN_S
            heapq.heappush(due, (max(at, time.monotonic() - 1) + pause_s, i))
        client.close()

    def _push(self, client: _Client, together: Sequence[Pushed]) -> bool:
        bodies = []
        with self._lock:
            for pushed in together:
                if self._changing:
                    self.happened[pushed.terminal.step(datetime.now(UTC))] += 1
                bodies.append(pushed.terminal.push())
                for name, now in _books(pushed.terminal).items():
                    if pushed.books.get(name) not in (None, now):
                        pushed.waiting[name] = (time.monotonic(), now)
                    pushed.books[name] = now
        if len(together) == 1:
            path, body = f"/api/v1/accounts/{together[0].account_id}/state", bodies[0]
        else:
            path = "/api/v1/accounts/states"
            items = zip(together, bodies, strict=True)
            body = {"accounts": [{"accountId": p.account_id, **said} for p, said in items]}
        began = time.monotonic()
        reason = client.post(path, together[0].secret, body)
        with self._lock:
            if reason:
                self.refused[reason] += len(together)
                return False
            self.pushes += len(together)
            self.took_s.append(time.monotonic() - began)
            self._note_taken(together, began)
        return True

    def _note_taken(self, together: Iterable[Pushed], began: float) -> None:
        for pushed in together:
            for name, (_, now) in pushed.waiting.items():
                self.sent[str(pushed.terminal.login), name].append((began, now))
            pushed.waiting.clear()


class _Client:
    """One kept connection, made anew whenever it broke."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)

    def post(self, path: str, secret: str, body: dict[str, Any]) -> str:
        """Return why it was not taken in; empty when it was."""
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        try:
            self._connection.request("POST", path, json.dumps(body), headers)
            answer = self._connection.getresponse()
            said = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as e:
            self._connection.close()
            return type(e).__name__
        if answer.status != http.HTTPStatus.OK:
            return f"{answer.status}: {said.get('error', said)}"
        # In bulk, one that is refused stops none of the others, and we push them together.
        return next((item["error"] for item in said.get("accounts", ()) if "error" in item), "")

    def close(self) -> None:
        self._connection.close()


def _books(terminal: Terminal) -> dict[str, int]:
    expected = terminal.expected()
    return {name: hash(book(expected[name])) for name in ("positions", "orders")}
