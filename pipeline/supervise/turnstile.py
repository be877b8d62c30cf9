"""A wait in front of what may not be done too often."""

from __future__ import annotations

import asyncio

from pipeline.core.ratelimit import Bucket


class Turnstile:
    """Lets through as the bucket allows, and nobody while it is closed."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._closed_until_s = 0.0

    async def turn(self, weight: float = 1.0) -> None:
        """Return when this may be done; it counts from then."""
        loop = asyncio.get_running_loop()
        # Again, because another one may have spent what this one waited for.
        while (wait_s := self._wait_s(weight, loop.time())) > 0:  # noqa: ASYNC110
            await asyncio.sleep(wait_s)
        self._bucket.spend(weight, loop.time())

    def close(self, for_s: float) -> None:
        until_s = asyncio.get_running_loop().time() + for_s
        self._closed_until_s = max(self._closed_until_s, until_s)

    def _wait_s(self, weight: float, now_s: float) -> float:
        return max(self._closed_until_s - now_s, self._bucket.wait_s(weight, now_s))
