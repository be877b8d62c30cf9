"""What JetStream answers to a record, or to a fast batch of them."""

from __future__ import annotations

import msgspec

# A message, or its headers, larger than the stream takes. Asking again cannot help, and while it
# is asked nothing behind it is stored: that one is given up, counted and named.
REFUSED_FOR_GOOD = frozenset({10054, 10097})
# The stream has no `allow_batched`.
NOT_BATCHED = 10205


class Refusal(msgspec.Struct):
    code: int = msgspec.field(default=0, name="err_code")
    description: str = "refused"

    def __str__(self) -> str:
        return f"{self.description} ({self.code})" if self.code else self.description


class Answer(msgspec.Struct):
    """
    Attributes:
        kind: Of a batch that goes on: "ack", "gap", "err"; empty for an acknowledgement.
        seq: With kind "ack": the batch's records up to this one are stored.
        msgs: After so many records the next "ack" will come.
        count: Of a batch that ended: how many of its records are stored, from the first one on.
    """

    kind: str = msgspec.field(default="", name="type")
    stream: str = ""
    seq: int = 0
    msgs: int = 0
    batch: str = ""
    count: int = 0
    duplicate: bool = False
    error: Refusal | None = None


_decoder = msgspec.json.Decoder(Answer)


def read(data: bytes, status: str | None) -> Answer:
    """
    Return what was answered; whatever is no acknowledgement is an error.

    Args:
        status: The header `Status`: "503" is the server's word that nobody listens.
    """
    if status == "503":
        return Answer(error=Refusal(description="no stream takes it (503)"))
    try:
        found = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        return Answer(error=Refusal(description=f"an answer that is no acknowledgement: {e}"))
    if found.error is None and not found.kind and not found.stream:
        found.error = Refusal(description="an answer that is no acknowledgement")
    return found
