"""Progress of one step, handed down in parts, so that each stage reports 0 to 1 of its own work."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from reconstruction_operator.models.interface import Report, Step

_T = TypeVar("_T")

_BEAT_SECONDS = 1.0
_ALMOST = 0.95  # what a call of unknown length reaches at most before it is done


@dataclass(frozen=True, slots=True)
class Progress:
    """The part of `step` from `start` to `end` (fractions of the step)."""

    report: Report
    step: Step
    start: float = 0.0
    end: float = 1.0

    def __call__(self, fraction: float, message: str = "") -> None:
        """`fraction` (0 to 1) of this part is done."""
        self.report(self.step, self.start + (self.end - self.start) * min(max(fraction, 0.0), 1.0), message)

    def part(self, start: float, end: float) -> Progress:
        """The part of this part from `start` to `end`."""
        width = self.end - self.start
        return Progress(self.report, self.step, self.start + width * start, self.start + width * end)

    def during(self, call: Callable[[], _T], expected_seconds: float, message: str) -> _T:
        """The result of `call`, a native function without a callback; reports every second while it runs.

        The call runs in a thread; what is reported nears the end as time passes. If reporting raises, that is raised
        at once and the call is left behind: native code cannot be interrupted, the process is about to end.
        """
        outcome: queue.SimpleQueue[tuple[_T | None, BaseException | None]] = queue.SimpleQueue()

        def run() -> None:
            try:
                outcome.put((call(), None))
            except BaseException as error:  # noqa: BLE001  # raised again below, in the caller's thread
                outcome.put((None, error))

        self(0.0, message)
        started = time.monotonic()
        threading.Thread(target=run, daemon=True).start()
        while True:
            try:
                result, error = outcome.get(timeout=_BEAT_SECONDS)
            except queue.Empty:
                passed = time.monotonic() - started
                self(_ALMOST * (1.0 - math.exp(-passed / expected_seconds)), message)
                continue
            if error is not None:
                raise error
            self(1.0, message)
            return result  # type: ignore[return-value]  # no error: the call's own result, which may be None
