"""Time estimate: the progress of a run and the seconds left, from expected costs and measurements.

The expected costs of stages come from `costs`. The pace of the machine is learned from finished stages, and the rest of
the current stage from its own reports. Many stages are one native call that reports nothing, so the clock advances the
progress of a step. Its speed is such that the step ends at the expected time, and decreases if the step takes longer.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconstruction_operator.models.interface import Step
from reconstruction_operator.models.photogrammetry.timing.costs import STEPS, VARYING, Stage

_AS_EXPECTED_SECONDS = 3.0  # weight of the expected pace, relative to measured seconds
_HALF_TRUSTED_SHARE = 0.1  # finished share of a stage at which its own pace and the expected one have equal weight
_OVERDUE_SHARE = 0.1  # minimum rest of an overdue stage, as a share of its time so far
_VARYING_OVERDUE_SHARE = 0.6  # the same, for a stage whose cost varies


class Estimate:
    """The estimate of one run. Times come from a monotonic clock.

    Stages run in order, and some may be skipped. A stage ends when it reports 1.0, or when a later stage reports.
    """

    def __init__(self, expected_seconds: Mapping[Stage, float], now: float) -> None:
        self._expected = expected_seconds
        self._taken: dict[Stage, float] = {}  # seconds of the stages that this run has finished
        self._current = next(iter(Stage))
        self._begun_at = self._heard_at = self._moved_at = now
        self._heard = False
        self._measured = 0.0  # finished share of the current stage, by its own reports
        self.fraction = 0.0  # of the current step, as shown; it never decreases, even if the expected rest grows

    @property
    def step(self) -> Step:
        """The step of the current stage."""
        return STEPS[self._current]

    def expect(self, seconds: Mapping[Stage, float]) -> None:
        """Replace the expected seconds of each stage, when more is known about the photos.

        The pace is computed again.
        """
        self._expected = seconds

    def resume(self, after: Stage, now: float) -> None:
        """Start after the stage `after`, which an earlier attempt has finished."""
        self._begin(Stage(after + 1), now)

    def hear(self, stage: Stage, fraction: float, now: float) -> None:
        """Process a report that `fraction` (0 to 1) of `stage` is done.

        A lower fraction, or a finished stage, is ignored.
        """
        if stage > self._current:
            self._end(self._heard_at)
            self._begin(stage, self._heard_at)
        if stage == self._current and (fraction > self._measured or not self._heard):
            self._heard, self._heard_at, self._measured = True, now, min(fraction, 1.0)
        self.move(now)
        if stage == self._current and fraction >= 1.0 and stage != max(Stage):
            self._end(now)
            self._begin(Stage(stage + 1), now)

    def move(self, now: float) -> None:
        """Advance the progress shown to the time `now`."""
        passed = now - self._moved_at
        if passed > 0.0:
            later = sum(self._expected[stage] for stage in Stage if stage > self._current and STEPS[stage] is self.step)
            self.fraction += (1.0 - self.fraction) * passed / (passed + self._rest_of_stage(now) + later * self._pace())
            self._moved_at = now

    def remaining_seconds(self, now: float) -> float:
        """Return the expected seconds until the end of the last stage."""
        later = sum(seconds for stage, seconds in self._expected.items() if stage > self._current)
        return self._rest_of_stage(now) + later * self._pace()

    def taken_seconds(self, now: float) -> dict[Step, float]:
        """Return the seconds that each step has taken so far."""
        seconds_of: dict[Step, float] = {}
        for stage, seconds in [*self._taken.items(), (self._current, now - self._begun_at)]:
            seconds_of[STEPS[stage]] = seconds_of.get(STEPS[stage], 0.0) + seconds
        return seconds_of

    def _begin(self, stage: Stage, at: float) -> None:
        if STEPS[stage] is not self.step:
            costs = {other: seconds for other, seconds in self._expected.items() if STEPS[other] is STEPS[stage]}
            self.fraction = sum(seconds for other, seconds in costs.items() if other < stage) / sum(costs.values())
            self._moved_at = at
        self._current = stage
        self._begun_at = self._heard_at = at
        self._heard, self._measured = False, 0.0

    def _end(self, at: float) -> None:
        if self._heard:
            self._taken[self._current] = at - self._begun_at

    def _pace(self) -> float:
        """Return the actual seconds for each expected second."""
        taken, expected = _AS_EXPECTED_SECONDS, _AS_EXPECTED_SECONDS
        for stage in self._taken.keys() - VARYING:
            taken, expected = taken + self._taken[stage], expected + self._expected[stage]
        if self._measured and self._current not in VARYING:
            taken += self._heard_at - self._begun_at
            expected += self._measured * self._expected[self._current]
        return taken / expected

    def _rest_of_stage(self, now: float) -> float:
        """Return the expected rest of the current stage in seconds.

        The more it has reported, the more its own pace counts.
        """
        left = 1.0 - self._measured
        rest = left * self._expected[self._current] * self._pace()
        if self._measured:
            own = left * (self._heard_at - self._begun_at) / self._measured
            rest += self._measured**2 / (self._measured**2 + _HALF_TRUSTED_SHARE**2) * (own - rest)
        rest -= now - (self._heard_at if self._measured else self._begun_at)
        overdue = _VARYING_OVERDUE_SHARE if self._current in VARYING else _OVERDUE_SHARE
        return max(rest, overdue * left * (now - self._begun_at), 0.0)
