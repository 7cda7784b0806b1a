"""Stage progress: divides the progress of a step among stages, each of which reports 0 to 1 of its own work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from typing import TypeVar

from reconstruction_operator.models.interface import Step

_T = TypeVar("_T")

BEAT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class StageProgress:
    """The progress of the part of `step` from `start` to `end` (fractions of the step)."""

    report: Callable[[Step, float, str], None]
    step: Step
    start: float = 0.0
    end: float = 1.0

    def __call__(self, fraction: float, message: str = "") -> None:
        """Report that `fraction` (0 to 1) of this part is done."""
        self.report(self.step, self.start + (self.end - self.start) * min(max(fraction, 0.0), 1.0), message)

    def part(self, start: float, end: float) -> StageProgress:
        """Return the section of this part from `start` to `end` (fractions of the part)."""
        width = self.end - self.start
        return StageProgress(self.report, self.step, self.start + width * start, self.start + width * end)

    def named(self, name: str) -> StageProgress:
        """Return the same part, whose messages end with `name`."""
        return replace(self, report=lambda step, fraction, text: self.report(step, fraction, f"{text}{name}"))

    def during(self, call: Callable[[], _T], measure: Callable[[], tuple[float, str]]) -> _T:
        """Return the result of `call`, a native function without callbacks, and report every second while it runs.

        `measure` returns fraction and message. The call runs in a thread, so it must release the interpreter lock. If a
        report raises, this method raises at once and abandons the call: native code cannot be interrupted, and the
        process is about to exit.
        """
        outcome: Future[_T] = Future()

        def run() -> None:
            try:
                outcome.set_result(call())
            except BaseException as error:  # noqa: BLE001  # raised again below, in the caller's thread
                outcome.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        while not wait([outcome], BEAT_SECONDS).done:
            self(*measure())
        self(*measure())
        return outcome.result()
