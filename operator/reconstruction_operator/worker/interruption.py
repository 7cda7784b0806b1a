"""Interruption: the reason for which a run has to end early, and the exception that ends it deep in a step."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from dataclasses import dataclass
from typing import TypeVar

from reconstruction_operator import exhaustion
from reconstruction_operator.contract.outcomes import StopReason

T = TypeVar("T")

_POLL_SECONDS = 0.1


class InterruptionKind(enum.Enum):
    """Why a run has to end before it is done."""

    CANCELLED = "cancelled"  # the cancel is confirmed: delete all files of the job
    SUPERSEDED = "superseded"  # the attempt belongs to another run: publish and record nothing
    STOPPED = "stopped"  # the operator stops the attempt, with a reason
    DRAINED = "drained"  # this worker shuts down
    EXHAUSTED = "exhausted"  # this worker can start no thread or process


@dataclass(frozen=True, slots=True)
class Interruption:
    """One interruption. Only STOPPED has a `reason`."""

    kind: InterruptionKind
    reason: StopReason | None = None

    @property
    def keeps_result(self) -> bool:
        """Whether a finished result is still useful: to the next attempt, or to the user after a deadline."""
        given_back = self.kind in (InterruptionKind.DRAINED, InterruptionKind.EXHAUSTED)
        return given_back or self.reason in (StopReason.SUSPEND, StopReason.DEADLINE)


class InterruptedRunError(Exception):
    """Raised inside a run that has to end."""

    def __init__(self, interruption: Interruption) -> None:
        super().__init__(interruption.kind.value)
        self.interruption = interruption


def call_interruptibly(function: Callable[[], T], check: Callable[[], None]) -> T:
    """Return the result of `function`, or raise the exception that `check` raises while it runs.

    `function` runs in another thread, since a read from a slow server or a dead NFS mount cannot be interrupted. An
    interruption abandons that thread. So `function` has to call `check` itself now and then, and has to tolerate that
    its folder is deleted while it works.
    """
    outcome: Future[T] = Future()
    context = copy_context()

    def run() -> None:
        try:
            outcome.set_result(context.run(function))
        except BaseException as error:  # noqa: BLE001  # raised again below, in the caller's thread
            outcome.set_exception(error)

    with exhaustion.starting():
        threading.Thread(target=run, name="interruptible", daemon=True).start()
    while not wait([outcome], _POLL_SECONDS).done:
        check()
    try:
        return outcome.result()
    finally:
        outcome = Future()  # the error's traceback refers to this frame: the reference cycle would keep both in memory
