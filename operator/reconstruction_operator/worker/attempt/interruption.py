"""Why a run is given up from outside, and how that reaches code deep in a step."""

from __future__ import annotations

import enum
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from reconstruction_operator.contract.outcomes import StopReason

T = TypeVar("T")

_LOOK_SECONDS = 0.1


class Kind(enum.Enum):
    """What somebody wants of a run that is not done."""

    CANCELLED = "cancelled"  # confirmed: delete everything
    OVERTAKEN = "overtaken"  # the attempt belongs to somebody else: publish nothing, say nothing
    STOPPED = "stopped"  # by the operator, with a reason
    DRAINED = "drained"  # this worker shuts down


@dataclass(frozen=True, slots=True)
class Interruption:
    """One such wish. `reason` is there for STOPPED alone."""

    kind: Kind
    reason: StopReason | None = None


class InterruptedRunError(Exception):
    """Raised inside a run that is to end."""

    def __init__(self, interruption: Interruption) -> None:
        super().__init__(interruption.kind.value)
        self.interruption = interruption


def call_within(seconds: float, function: Callable[[], T]) -> T:
    """The result of `function`, which is left behind after so many seconds.

    Raises:
        TimeoutError: it is.

    """
    deadline = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s: see whether the disk answers")

    return call_interruptibly(function, check)


def call_interruptibly(function: Callable[[], T], check: Callable[[], None]) -> T:
    """The result of `function`, or whatever `check` raises while it runs.

    The function runs in a thread of its own, since a read from a slow server or a dead NFS mount cannot be interrupted.
    After an interruption it is left behind: it has to call `check` itself now and then, and it works in a folder that is
    deleted under it.
    """
    outcome: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put((function(), None))
        except BaseException as error:  # noqa: BLE001  # raised again below, in the caller's thread
            outcome.put((None, error))

    threading.Thread(target=run, name="interruptible", daemon=True).start()
    while True:
        try:
            result, error = outcome.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            check()
            continue
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # without an error it is what `function` returned
