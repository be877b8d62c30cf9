"""
One FIX message, checked and looked into: FIX 4.x and FIXT 1.1 in tag=value form.

    8=FIX.4.4|9=length|35=type|...|10=checksum|

Standard: "FIX TagValue Encoding", fixtrading.org/standards/tagvalue-online.

What costs in Python is an object for each field, not the copy of ten bytes. So the message stays
one piece: few fields are found by looking for their tag, and only `pairs` takes all of it apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pipeline.core.errors import DecodeError

SOH = b"\x01"

# Fields that tell the length of the next one, which may hold any byte; of FIX 5.0 SP2.
DATA_TAGS: Mapping[int, int] = {
    90: 91, 93: 89, 95: 96, 212: 213, 348: 349, 350: 351, 352: 353, 354: 355, 356: 357, 358: 359,
    360: 361, 362: 363, 364: 365, 445: 446, 618: 619, 621: 622, 1184: 1185, 1277: 1278, 1280: 1281,
    1397: 1398, 1401: 1402, 1403: 1404, 1468: 1469,
}  # fmt: skip

_HEAD = re.compile(rb"8=FIXT?\.[0-9]\.[0-9]\x019=([0-9]{1,9})\x01")
_TAIL = re.compile(rb"10=([0-9]{3})\x01")
_TAIL_LENGTH = len("10=000|")
_FIELDS = re.compile(rb"(?:[1-9][0-9]{0,8}+=[^\x01]++\x01)++")
_TAG = re.compile(rb"([1-9][0-9]{0,8})=")
_LENGTH_TAGS = re.compile(rb"\x01(?:%b)=" % b"|".join(b"%d" % tag for tag in DATA_TAGS))


class FixFields(Mapping[int, str]):
    """
    The fields of one message by tag, as text (ISO 8859-1, which loses nothing).

    A tag that repeats, as those of groups do, is here by its first value: `all` has every one, and
    `pairs` their order.
    """

    __slots__ = ("_pairs", "raw")

    def __init__(self, raw: bytes) -> None:
        """
        Args:
            raw: The whole message.

        Raises:
            DecodeError: `frame`, `checksum` or `shape`.
        """
        body = _checked(raw)
        self.raw = raw
        self._pairs: list[tuple[int, bytes]] | None = None
        if _LENGTH_TAGS.search(raw):
            self._pairs = _walked(raw)
        elif _FIELDS.fullmatch(raw, body) is None:
            raise DecodeError("shape", "a field that is no tag=value")

    @property
    def pairs(self) -> list[tuple[int, bytes]]:
        """All fields in the order of the wire, from 8 to 10."""
        if self._pairs is None:
            parts = (part.partition(b"=") for part in self.raw[:-1].split(SOH))
            self._pairs = [(int(tag), value) for tag, _, value in parts]
        return self._pairs

    def all(self, tag: int | str) -> list[str]:
        """Return every value of a tag, in the order of the wire; [] where there is none."""
        wanted = _number(tag)
        return [value.decode("latin-1") for found, value in self.pairs if found == wanted]

    def __getitem__(self, tag: int | str) -> str:
        value = self._find(_number(tag))
        if value is None:
            raise KeyError(tag)
        return value.decode("latin-1")

    def __iter__(self) -> Iterator[int]:
        return iter(dict(self.pairs))

    def __len__(self) -> int:
        return len(dict(self.pairs))

    def __repr__(self) -> str:
        # It may log in.
        return f"FixFields({len(self.raw)} bytes, 35={self[35]!r})"

    def _find(self, tag: int) -> bytes | None:
        if self._pairs is not None:
            return next((value for found, value in self._pairs if found == tag), None)
        field = b"%d=" % tag
        if self.raw.startswith(field):
            start = len(field)
        else:
            place = self.raw.find(SOH + field)
            if place < 0:
                return None
            start = place + 1 + len(field)
        return self.raw[start : self.raw.index(SOH, start)]


def _checked(raw: bytes) -> int:
    """Return where the body begins: behind BodyLength."""
    head = _HEAD.match(raw)
    if head is None:
        raise DecodeError("frame", "does not begin with 8=FIX… and 9=length")
    tail = head.end() + int(head[1])
    # The SOH before the checksum is the body's last byte.
    if raw[tail - 1 : tail] != SOH or len(raw) != tail + _TAIL_LENGTH:
        raise DecodeError("frame", "9: not the length of the body")
    told = _TAIL.match(raw, tail)
    if told is None:
        raise DecodeError("frame", "does not end with 10=checksum")
    if sum(raw[:tail]) & 0xFF != int(told[1]):
        raise DecodeError("checksum", "10: not the sum of the message")
    if not raw.startswith(b"35=", head.end()):
        raise DecodeError("frame", "35: is not the third field")
    return head.end()


def _walked(raw: bytes) -> list[tuple[int, bytes]]:
    """Return all fields of a message in which some may hold SOH."""
    pairs: list[tuple[int, bytes]] = []
    place, data_tag, data_length = 0, 0, 0
    while place < len(raw):
        found = _TAG.match(raw, place)
        if found is None:
            raise DecodeError("shape", "a field that is no tag=value")
        tag, start = int(found[1]), found.end()
        end = start + data_length if tag == data_tag else raw.find(SOH, start)
        if end <= start or raw[end : end + 1] != SOH:
            raise DecodeError("shape", f"{tag}: empty, or not as long as it was said")
        value = raw[start:end]
        pairs.append((tag, value))
        data_tag = DATA_TAGS.get(tag, 0)
        data_length = _length(tag, value) if data_tag else 0
        place = end + 1
    return pairs


def _length(tag: int, value: bytes) -> int:
    if not value.isdigit() or len(value) > len("999999999"):
        raise DecodeError("shape", f"{tag}: no length")
    return int(value)


def _number(tag: int | str) -> int:
    try:
        return int(tag)
    except ValueError:
        raise KeyError(tag) from None
