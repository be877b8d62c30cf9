"""The server's store, from before there were accounts."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from streams.core.serverconf import ACCOUNT

logger = logging.getLogger(__name__)


def carry_over(store_folder: Path) -> None:
    """
    Move the streams of a store that knew no accounts into ours; the server must be down.

    Raises:
        OSError: They could not be moved. Each stream is in the one place or the other.
    """
    root = store_folder / "jetstream"
    old, new = root / "$G" / "streams", root / ACCOUNT / "streams"
    if not old.is_dir():
        return
    new.mkdir(parents=True, exist_ok=True, mode=0o750)
    for stream in sorted(old.iterdir()):
        target = new / stream.name
        if target.exists():
            logger.warning("stream %s is in two accounts; the older one is left", stream.name)
            continue
        stream.rename(target)
        logger.info("stream %s moved into account %s", stream.name, ACCOUNT)
    if not any(old.iterdir()):
        shutil.rmtree(root / "$G", ignore_errors=True)
