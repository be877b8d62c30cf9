"""
The newest frame of every topic, in the order in which they became newest.

Three rules keep the result true, whoever reads it and whenever:

* An account's `update` holds only the fields that changed since the last message, so a newer one
  is merged into the older one instead of replacing it.
* An account's `account` message is its whole state, so it takes the place of an older `update`.
* A control message of market data ("nothing comes any more") stands beside the newest data, which
  it does not replace; newer data replace both.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import TypeAlias

from realtime.core.protocol import Frame, merged

CONTROL = "control"
# A topic; a topic and CONTROL; a number for what has no topic.
Key: TypeAlias = str | tuple[str, str] | int


class Latest:
    """
    Frames by topic; a frame without a topic replaces nothing.

    `characters` is the length of all texts together.
    """

    def __init__(self) -> None:
        self._frames: OrderedDict[Key, Frame] = OrderedDict()
        self._unnamed = 0
        self.characters = 0

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._frames.values())

    def put(self, frame: Frame) -> bool:
        """Take one frame; return whether it took the place of an older one."""
        if not frame.topic:
            self._unnamed += 1
            self._append(self._unnamed, frame)
            return False
        control = frame.topic, CONTROL
        was_control = self._drop(control)
        if frame.is_control:
            self._append(control, frame)
            return was_control is not None
        whole, _, kind = frame.topic.rpartition(".")
        is_account = frame.topic.startswith("account.")
        if is_account and kind == "account":
            self._drop(f"{whole}.update")
        older = self._drop(frame.topic)
        if older and is_account and kind == "update":
            frame = merged(older, frame)
        self._append(frame.topic, frame)
        return bool(older or was_control)

    def pop(self) -> Frame:
        """
        Return the oldest frame, which is then gone.

        Raises:
            KeyError: There is none.
        """
        _, frame = self._frames.popitem(last=False)
        self.characters -= len(frame.text)
        return frame

    def discard(self, topic: str) -> None:
        """Forget a topic."""
        self._drop(topic)
        self._drop((topic, CONTROL))

    def _drop(self, key: Key) -> Frame | None:
        frame = self._frames.pop(key, None)
        if frame:
            self.characters -= len(frame.text)
        return frame

    def _append(self, key: Key, frame: Frame) -> None:
        # At the end, not in the older one's place: what was said between the two came before.
        self._frames[key] = frame
        self.characters += len(frame.text)
