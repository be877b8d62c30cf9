"""What is to be published next."""

from __future__ import annotations

import msgspec

from pipeline.core.messages import Control, Record
from pipeline.core.topic import Topic


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """
    Attributes:
        received_ns: When the frame arrived that it comes from; an update of a book may have waited
            for its snapshot.
        flags: Of `messages.Flag`.
    """

    topic: Topic
    content: Record | Control
    received_ns: int
    flags: int = 0
