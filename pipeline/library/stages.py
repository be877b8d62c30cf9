"""What the frames of a source go through here: the usual way, timed, or into an envelope."""

from __future__ import annotations

import time
from collections.abc import Callable

from pipeline.core.library.envelope import enveloped
from pipeline.core.library.meter import Meter
from pipeline.core.spec import SourceSpec
from pipeline.flow import Publisher, Stages


class MarketStages(Stages):
    """Of an exchange: see `pipeline.flow.Stages`."""

    def __init__(
        self, spec: SourceSpec, publisher: Publisher, clock_ns: Callable[[], int], meter: Meter
    ) -> None:
        super().__init__(spec, publisher, clock_ns)
        self._meter = meter

    def accept(self, frame: bytes | memoryview, received_ns: int) -> bool:
        began_ns = time.perf_counter_ns()
        room = super().accept(frame, received_ns)
        self._meter.add(time.perf_counter_ns() - began_ns)
        return room


class EnvelopeStages(Stages):
    """Of a source that is no exchange: each frame is handed on as it came."""

    def __init__(
        self, spec: SourceSpec, publisher: Publisher, clock_ns: Callable[[], int], meter: Meter
    ) -> None:
        super().__init__(spec, publisher, clock_ns)
        self._source_id = spec.source_id
        self._epoch = spec.epoch
        self._meter = meter

    def accept(self, frame: bytes | memoryview, received_ns: int) -> bool:
        began_ns = time.perf_counter_ns()
        self.received += 1
        self.last_message_ns = received_ns
        payload = enveloped(
            bytes(frame),
            self._source_id,
            received_ns=received_ns,
            sequence=self.received,
            epoch=self._epoch,
        )
        room = self._publisher.submit("", payload, "")
        self.published += 1
        self._meter.add(time.perf_counter_ns() - began_ns)
        return room
