"""Timetable: converts reports of stages to progress of steps, with the time left."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Self

from reconstruction_operator.models.interface import Report, Step
from reconstruction_operator.models.photogrammetry import progress
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.timing.costs import STEPS, Learned, Stage
from reconstruction_operator.models.photogrammetry.timing.estimate import Estimate

logger = logging.getLogger(__name__)


class Timetable:
    """Reports the progress of a run.

    In its `with` block a thread also reports every second, since many stages are silent native calls.
    """

    def __init__(
        self,
        report: Report,
        expected_seconds: Callable[[Learned], Mapping[Stage, float]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._expected_seconds = expected_seconds
        self._facts = Learned()
        self._clock = clock
        self._estimate = Estimate(expected_seconds(self._facts), clock())
        self._message: str | None = None  # the latest; None before the first report
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_beating, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def stage(self, stage: Stage) -> StageProgress:
        """Return the progress to which that stage reports."""

        def hear(step: Step, fraction: float, message: str = "") -> None:
            logger.debug("%s: %.4f is done", stage.name, fraction)
            with self._lock:
                if step < self._estimate.step:
                    return  # a resumed run does a little of the earlier steps again
                self._estimate.hear(stage, fraction, self._clock())
                self._message = message if self._estimate.step is step else ""
                self._send(step, message)

        return StageProgress(hear, STEPS[stage])

    def learn(self, more: Learned) -> None:
        """Update what the run knows about its photos, and thereby the expected costs of the stages."""
        logger.debug("learned %s", more)
        with self._lock:
            self._facts = self._facts.with_more(more)
            self._estimate.expect(self._expected_seconds(self._facts))

    def resume(self, after: Stage, resumed: str) -> None:
        """Report that an earlier attempt has finished all stages up to `after`; `resumed` names its
        last saved stage.
        """
        with self._lock:
            self._estimate.resume(after, self._clock())
            self._message = f"continues after {resumed}"
            self._send(self._estimate.step, self._message, resumed)

    def tell(self, resumed: str) -> None:
        """Report that parts of a stage of another run are used; `resumed` names it."""
        with self._lock:
            self._message = f"continues with {resumed}"
            self._send(self._estimate.step, self._message, resumed)

    def announce(self, quality: Mapping[str, int | float | str]) -> None:
        """Report what is known of the result's quality."""
        with self._lock:
            self._send(self._estimate.step, self._message or "", quality=quality)

    def beat(self) -> None:
        """Report the passage of time. Does nothing before the first report, which may be that of a resumed run."""
        with self._lock:
            self._estimate.move(self._clock())
            if self._message is not None:
                self._send(self._estimate.step, self._message)

    def taken_seconds(self) -> dict[Step, float]:
        """Return the seconds that each step has taken so far."""
        with self._lock:
            return self._estimate.taken_seconds(self._clock())

    def _send(
        self, step: Step, message: str, resumed: str = "", quality: Mapping[str, int | float | str] | None = None
    ) -> None:
        remaining = self._estimate.remaining_seconds(self._clock())
        fraction = self._estimate.fraction if self._estimate.step is step else 1.0  # an earlier step is finished
        self._report(step, fraction, message, resumed=resumed, remaining_seconds=remaining, quality=quality)

    def _keep_beating(self) -> None:
        while not self._over.wait(progress.BEAT_SECONDS):
            self.beat()
