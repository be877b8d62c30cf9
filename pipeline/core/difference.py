"""Whether a source can go on with other settings, or begins anew."""

from __future__ import annotations

from msgspec import structs

from pipeline.core.spec import SourceSpec, declares


def begins_anew(before: SourceSpec | None, after: SourceSpec) -> bool:
    """
    Return whether the links of a source must go because of what was changed.

    What to subscribe to is changed while they stay. The epoch grows with each beginning, so by
    itself it says nothing.
    """
    if before is None:
        return True
    same = structs.replace(
        before,
        types=after.types,
        symbols=after.symbols,
        intervals=after.intervals,
        epoch=after.epoch,
    )
    return same != after or declares(before) != declares(after)
