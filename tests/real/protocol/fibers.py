"""Fibers: run the real code of a worker, paused at each of its points until the test resumes it.

A point is before every call to Redis and before every change on the disk. Exactly one thread runs at any time, so that
an example is reproducible. A paused fiber can be killed.
"""

import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

_PATIENCE_SECONDS = 30.0  # a guard: nothing between two points waits for anything


class KilledError(BaseException):
    """Raised at the point where a run is paused, as SIGKILL would end it there."""


class Fiber:
    """Runs `body` in its own thread; the code calls `pause_at` at each point."""

    _current = threading.local()

    def __init__(self, body: Callable[[], None]) -> None:
        self._body = body
        # Locks as binary semaphores: a point takes one each way, and `threading.Semaphore` is Python code.
        self._go = threading.Lock()
        self._paused = threading.Lock()
        self._go.acquire()
        self._paused.acquire()
        self._killed = False
        self._fault: Exception | None = None
        self._error: BaseException | None = None
        self.point = "begun"
        self.over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @classmethod
    def pause_at(cls, point: str) -> None:
        """Pause before a point, in a fiber; elsewhere do nothing."""
        fiber: Fiber | None = getattr(cls._current, "fiber", None)
        if fiber is not None:
            fiber._pause(point)

    def resume(self) -> None:
        """Run to the next point, or to the end. Raises what the body raised."""
        self._go.release()
        if not self._paused.acquire(timeout=_PATIENCE_SECONDS):
            where = traceback.format_stack(sys._current_frames()[self._thread.ident or 0])
            raise AssertionError(f"a run hangs after {self.point!r}:\n{''.join(where[-6:])}")
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def fail(self, fault: Exception) -> None:
        """Run on, but the point that it is paused at raises `fault` instead."""
        self._fault = fault
        self.resume()

    def kill(self) -> None:
        """Kill it at its point."""
        if not self.over:
            self._killed = True
            self.resume()

    def _pause(self, point: str) -> None:
        if self._killed:
            raise KilledError
        self.point = point
        self._paused.release()
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
        except BaseException as error:  # noqa: BLE001  # raised again in `resume`
            self._error = error
        self.over = True
        self._paused.release()


def at_a_point(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with a point before it."""

    def stopping(*args: Any, **kwargs: Any) -> Any:
        Fiber.pause_at(name)
        return function(*args, **kwargs)

    return stopping
