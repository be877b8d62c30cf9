"""
Bytes of strangers -> typed structs: what every venue's decoder stands on.

Whatever is wrong with the bytes becomes a `DecodeError`. Its detail names the field and what was
expected there, never what was found.
"""

from __future__ import annotations

import zlib
from typing import Annotated, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from pipeline.core.errors import DecodeError

NS_PER_MS = 1_000_000

Data: TypeAlias = bytes | memoryview | msgspec.Raw

Milliseconds = Annotated[int, Meta(ge=0, le=(2**63 - 1) // NS_PER_MS)]
Sequence = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Symbol = Annotated[str, Meta(min_length=1, max_length=64)]

T = TypeVar("T")


def parsed(decoder: msgspec.json.Decoder[T], data: Data) -> T:
    """
    Return what the decoder makes of the data.

    Raises:
        DecodeError: `json`, `shape`, `text` or `nesting`.
    """
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as e:
        raise DecodeError("shape", str(e)) from None
    except msgspec.DecodeError as e:
        raise DecodeError("json", str(e)) from None
    except UnicodeDecodeError:
        raise DecodeError("text", "not UTF-8") from None
    except RecursionError:
        raise DecodeError("nesting", "nested too deep") from None


def checked_symbol(symbol: str) -> str:
    """
    Return the symbol; it becomes part of a subject and of a header.

    Raises:
        DecodeError: It holds a control character. (Characters outside ASCII are taken: such
            symbols exist.)
    """
    if not symbol.isprintable():
        raise DecodeError("shape", "a symbol with a control character")
    return symbol


def digest(data: Data) -> int:
    """Return what tells these data from others where the venue does not number them."""
    return zlib.crc32(data)
