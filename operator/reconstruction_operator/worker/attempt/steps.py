"""Steps of a run: each begins with a check of the cancel flag and a report, in the same way for every model."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from redis.exceptions import RedisError

from reconstruction_operator.contract.steps import STEPS, StepInfo, percent_at
from reconstruction_operator.models.interface import Step
from reconstruction_operator.services import job_manager
from reconstruction_operator.worker.heartbeat import Heartbeat

_MAX_MESSAGE_CHARS = 200


@dataclass(frozen=True, slots=True)
class Reached:
    """The progress of a run."""

    step: StepInfo
    percent: float  # in tenths
    fraction: float  # fraction of the whole run's time, 0.0 to 1.0
    message: str = ""
    resumed: str = ""  # the stage of an earlier attempt from which the run continues
    base: float = 0.0  # the fraction from which it continues
    remaining_seconds: float | None = None  # time left as the model expects; None: derived from the fraction
    quality: Mapping[str, int | float | str] = field(default_factory=dict)  # what is known of the result's already


Publish = Callable[[Reached, bool], None]
"""Called with the progress, and whether this report must not be skipped."""


@dataclass(kw_only=True)
class Steps:
    """The steps of one run. With `pace_seconds` the run is simulated, and each step takes that long."""

    job_id: str
    shares: Mapping[Step, float]
    pace_seconds: float | None
    heartbeat: Heartbeat
    publish: Publish
    check: Callable[[], None]  # raises the exception that ends the run
    reached: Reached = field(init=False, default=Reached(STEPS[0], 0, 0.0))  # the newest report
    _current: Step | None = field(init=False, default=None)
    _begun_at: float = field(init=False, default=0.0)

    def report(
        self,
        step: Step,
        fraction: float,
        message: str = "",
        *,
        resumed: str = "",
        remaining_seconds: float | None = None,
        quality: Mapping[str, int | float | str] | None = None,
    ) -> None:
        """Begin all steps up to that one and report progress; ignore progress that goes backwards.

        Implements `models.interface.Report`.

        Raises what `check` raises if the run has to end.
        """
        if resumed:
            base = fraction_of_run(self.shares, step, fraction)
            self.reached = replace(self.reached, resumed=resumed[:_MAX_MESSAGE_CHARS], base=base)
        while self._current is None or self._current < step:
            self._begin(Step(1 if self._current is None else self._current + 1), at_once=bool(resumed))
        self.check()
        if (self.pace_seconds is None or resumed) and step == self._current and math.isfinite(fraction):
            is_valid = remaining_seconds is not None and math.isfinite(remaining_seconds) and remaining_seconds >= 0.0
            known, left = quality or self.reached.quality, remaining_seconds if is_valid else None
            self.reached = replace(self.reached, remaining_seconds=left, quality=known)
            self._reach(step, fraction, message, keep=bool(resumed))

    def complete(self) -> None:
        """End the last step. Raises what `check` raises if the run has to end."""
        self.report(Step.FINALIZE, 0.0)
        self._end_current()

    def _begin(self, step: Step, *, at_once: bool) -> None:
        """End the previous step (`at_once` if an earlier attempt has done its work) and begin this one."""
        self._end_current(at_once=at_once)
        self._check_flag()
        self._current, self._begun_at = step, time.monotonic()
        # A simulated step reports its percentage when it begins, a real one when it ends.
        self._reach(step, 0.0, "", keep=True)

    def _end_current(self, *, at_once: bool = False) -> None:
        if self._current is None:
            return
        if self.pace_seconds is None:
            self._reach(self._current, 1.0, "", keep=True)
        elif not at_once:
            self.heartbeat.wait(self._begun_at + self.pace_seconds - time.monotonic())

    def _check_flag(self) -> None:
        # While Redis is unreachable, a call would only time out. The heartbeat keeps polling, and logs the outage.
        if not self.heartbeat.redis_is_away:
            with contextlib.suppress(RedisError):
                if job_manager.is_job_cancelled(self.job_id):
                    self.heartbeat.note_cancel()
        self.check()

    def _reach(self, step: Step, fraction: float, message: str, *, keep: bool) -> None:
        part = min(1.0, max(0.0, fraction))
        info = STEPS[step - 1]
        percent = info.percent if self.pace_seconds is not None else percent_at(info.index, part)
        whole = fraction_of_run(self.shares, step, part)
        self.reached = replace(
            self.reached,
            step=info,
            percent=max(percent, self.reached.percent),
            fraction=max(whole, self.reached.fraction),
            message=message[:_MAX_MESSAGE_CHARS],
        )
        self.publish(self.reached, keep)


def fraction_of_run(shares: Mapping[Step, float], step: Step, part: float) -> float:
    """Return the fraction of the whole run when `part` (0.0 to 1.0) of the step is done."""
    before = sum(shares.get(earlier, 0.0) for earlier in Step if earlier < step)
    return min(1.0, before + shares.get(step, 0.0) * min(1.0, max(0.0, part)))
