"""Stand-ins at the ports."""

from __future__ import annotations

import asyncio


class FakePublisher:
    """Keeps what is submitted; has room until told otherwise."""

    def __init__(self):
        self.submitted: list[tuple[str, bytes, str]] = []
        self.has_room = True
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    def submit(self, subject, payload, msg_id):
        self.submitted.append((subject, payload, msg_id))
        return self.has_room

    async def room(self):
        await self.may_go_on.wait()
