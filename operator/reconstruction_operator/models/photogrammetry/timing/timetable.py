"""Timetable: reports of a run's stages, as progress of its steps with the seconds that are left."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from reconstruction_operator.models.interface import Report, Step
from reconstruction_operator.models.photogrammetry import progress
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.timing.costs import STEPS, Known, Stage
from reconstruction_operator.models.photogrammetry.timing.estimate import Estimate

logger = logging.getLogger(__name__)


class Timetable:
    """In its `with` block a thread reports as well, every second: many stages are one native call that reports nothing."""

    def __init__(
        self,
        report: Report,
        expected_seconds: Callable[[Known], Mapping[Stage, float]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._expected_seconds = expected_seconds
        self._known = Known()
        self._clock = clock
        self._estimate = Estimate(expected_seconds(self._known), clock())
        self._message: str | None = None  # the newest; None before the first
        self._error: BaseException | None = None  # raised by `report` in the thread
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_beating, name="progress", daemon=True)

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
            logger.debug("%s: %.4f is done", stage.name, fraction)
            with self._lock:
                self._estimate.hear(stage, fraction, self._clock())
                self._message = message if self._estimate.step is step else ""
                self._send(step, message)

        return StageProgress(hear, STEPS[stage])

    def learn(self, more: Known) -> None:
        """Adds what the run has learned of its photos to what it knew; that changes what the stages are expected to take."""
        logger.debug("learned %s", more)
        with self._lock:
            self._known = self._known.with_more(more)
            self._estimate.expect(self._expected_seconds(self._known))

    def resume(self, after: Stage, resumed: str) -> None:
        """Reports that an earlier attempt has finished all stages up to `after`; `resumed` names what it has left."""
        with self._lock:
            self._estimate.resume(after, self._clock())
            self._message = f"goes on after {resumed}"
            self._send(self._estimate.step, self._message, resumed)

    def beat(self) -> None:
        """Reports anew, as time has passed. A run that goes on from a stage reports that first."""
        with self._lock:
            self._estimate.move(self._clock())
            if self._message is not None:
                self._send(self._estimate.step, self._message)

    def taken_seconds(self) -> dict[Step, float]:
        """What each step has taken so far."""
        with self._lock:
            return self._estimate.taken_seconds(self._clock())

    def _send(self, step: Step, message: str, resumed: str = "") -> None:
        if self._error is not None:
            raise self._error
        remaining = self._estimate.remaining_seconds(self._clock())
        fraction = self._estimate.fraction if self._estimate.step is step else 1.0  # the step before is over
        self._report(step, fraction, message, resumed=resumed, remaining_seconds=remaining)

    def _keep_beating(self) -> None:
        while not self._over.wait(progress.BEAT_SECONDS):
            try:
                self.beat()
            except BaseException as error:  # noqa: BLE001  # raised again in the run's own thread, by its next report
                self._error = error
                return
