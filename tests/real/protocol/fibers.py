"""The real code of a worker, which stands still at each of its points until it is told to go on.

A point is every word to Redis and every change on the disk. Exactly one thread runs at any time, so that what happens is
the same each time; who stands still may do so for ever, and is told then that it was killed.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable

_PATIENCE_SECONDS = 30.0  # a guard: nothing between two points waits for anything


class KilledError(BaseException):
    """Raised at the point where a run stands still: SIGKILL leaves no time for anything else."""


class Fiber:
    """`body` in a thread of its own; it gets a function that it calls at each point, with the point's name."""

    _current = threading.local()

    def __init__(self, body: Callable[[], None]) -> None:
        self._body = body
        self._go, self._stands = threading.Semaphore(0), threading.Semaphore(0)
        self._killed = False
        self._fault: Exception | None = None
        self._error: BaseException | None = None
        self.point = "begun"
        self.over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @classmethod
    def stand_still(cls, point: str) -> None:
        """To be called by code that may run in a fiber; elsewhere it does nothing."""
        fiber: Fiber | None = getattr(cls._current, "fiber", None)
        if fiber is not None:
            fiber._pause(point)

    def go_on(self) -> None:
        """Run to the next point, or to the end. Raises what the body raised."""
        self._go.release()
        if not self._stands.acquire(timeout=_PATIENCE_SECONDS):
            where = traceback.format_stack(sys._current_frames()[self._thread.ident or 0])
            raise AssertionError(f"a run hangs after {self.point!r}:\n{''.join(where[-6:])}")
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def fail(self, fault: Exception) -> None:
        """Run on, but what it stands before raises `fault` instead of being done."""
        self._fault = fault
        self.go_on()

    def kill(self) -> None:
        """End it where it stands."""
        if not self.over:
            self._killed = True
            self.go_on()

    def _pause(self, point: str) -> None:
        if self._killed:
            raise KilledError
        self.point = point
        self._stands.release()
        self._go.acquire()
        if self._killed:
            raise KilledError
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault

    def _run(self) -> None:
        self._go.acquire()
        Fiber._current.fiber = self
        try:
            if not self._killed:
                self._body()
        except KilledError:
            pass
        except BaseException as error:  # noqa: BLE001  # raised again in `go_on`
            self._error = error
        self.over = True
        self._stands.release()
