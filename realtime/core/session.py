"""One client's side of the conversation: what it may ask, how much of it, and what it has."""

from __future__ import annotations

from collections.abc import Callable

from realtime.core import protocol, topics
from realtime.core.errors import Refused
from realtime.core.protocol import Command, Ping, Subscribe, Unsubscribe
from streams.core.templates import STANDARD, Templates

MAX_TOPICS = 128
COMMANDS_PER_S = 20


class Session:
    """
    Checks every command of one connection before anything is done about it.

    Args:
        allowed: Whether this client may listen to a topic.
        templates: Where market data are.
    """

    def __init__(self, allowed: Callable[[str], bool], templates: Templates = STANDARD) -> None:
        self._allowed = allowed
        self._templates = templates
        self._credit = float(COMMANDS_PER_S)
        self._counted_s = 0.0
        self.topics: set[str] = set()

    def command(self, text: str | None, now_s: float) -> Command:
        """
        Return a command that may be carried out; `topics` is what it will be afterwards.

        Args:
            text: None for a binary frame, which no command is.
            now_s: Any clock that does not go back.

        Raises:
            Refused: Not a command, or not allowed. A command is done whole or not at all.
        """
        self._spend(now_s)
        if text is None:
            raise Refused("bad_message", "commands are text")
        asked = protocol.command(text)
        match asked:
            case Subscribe():
                self._check(asked)
                self.topics.update(asked.topics)
            case Unsubscribe():
                self.topics.difference_update(asked.topics)
            case Ping():
                pass
        return asked

    def _spend(self, now_s: float) -> None:
        earned = (now_s - self._counted_s) * COMMANDS_PER_S
        self._credit = min(self._credit + earned, float(COMMANDS_PER_S))
        self._counted_s = now_s
        if self._credit < 1:
            raise Refused("too_many", f"at most {COMMANDS_PER_S} commands a second")
        self._credit -= 1

    def _check(self, asked: Subscribe) -> None:
        for topic in asked.topics:
            try:
                topics.check(topic, self._templates)
            except topics.BadTopic as e:
                raise Refused("bad_topic", str(e), command_id=asked.id, topic=topic) from e
            if not self._allowed(topic):
                raise Refused(
                    "forbidden", "you may not listen to this", command_id=asked.id, topic=topic
                )
        if len(self.topics.union(asked.topics)) > MAX_TOPICS:
            raise Refused(
                "too_many", f"at most {MAX_TOPICS} topics a connection", command_id=asked.id
            )
