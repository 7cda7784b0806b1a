"""Timetable: reports of a run's stages, as progress of its steps with the seconds that are left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from reconstruction_operator.models.interface import Report, Step
from reconstruction_operator.models.photogrammetry import progress
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.timing.costs import STEPS, Stage
from reconstruction_operator.models.photogrammetry.timing.estimate import Estimate


class Timetable:
    """In its `with` block a thread reports as well, every second: many stages are one native call that reports nothing."""

    def __init__(
        self, report: Report, expected_seconds: Mapping[Stage, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._report = report
        self._clock = clock
        self._estimate = Estimate(expected_seconds, clock())
        self._newest: tuple[Step, str] | None = None
        self._error: BaseException | None = None  # raised by `report` in the thread
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def stage(self, stage: Stage) -> StageProgress:
        """For the reports of that stage."""

        def hear(step: Step, fraction: float, message: str = "") -> None:
            with self._lock:
                self._estimate.hear(stage, fraction, self._clock())
                self._send(step, message)

        return StageProgress(hear, STEPS[stage])

    def expect(self, seconds: Mapping[Stage, float]) -> None:
        """More is known of the photos than before: what the stages are expected to take now."""
        with self._lock:
            self._estimate.expect(seconds)

    def resume(self, after: Stage, resumed: str) -> None:
        """Reports that an earlier attempt has finished all stages up to `after`; `resumed` names what it has left."""
        with self._lock:
            self._estimate.resume(after, self._clock())
            self._send(STEPS[after], f"goes on after {resumed}", resumed)

    def taken_seconds(self) -> dict[Step, float]:
        """What each step has taken so far."""
        with self._lock:
            return self._estimate.taken_seconds(self._clock())

    def _send(self, step: Step, message: str, resumed: str = "") -> None:
        if self._error is not None:
            raise self._error
        self._newest = step, message
        remaining = self._estimate.remaining_seconds(self._clock())
        self._report(step, self._estimate.fraction(step), message, resumed=resumed, remaining_seconds=remaining)

    def _beat(self) -> None:
        while not self._over.wait(progress.BEAT_SECONDS):
            with self._lock:
                self._estimate.move(self._clock())
                if self._newest is None:
                    continue  # a run that goes on from a stage reports that first
                try:
                    self._send(*self._newest)
                except BaseException as error:  # noqa: BLE001  # raised again in the run's own thread, by its next report
                    self._error = error
                    return
