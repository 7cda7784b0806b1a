"""Clean-up turns: a worker carries out one clean-up at a time, so that its other slots stay free for attempts.

An order that arrives during a turn takes no slot: its job joins the list of that turn. The list is lost with the worker. The operator
repeats an order until its clean-up is recorded.
"""

from __future__ import annotations

import logging
import time
from typing import Final, Protocol

from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.worker.deleting.process import DeletionProcess
from reconstruction_operator.worker.deleting.shared_value import SharedValue

logger = logging.getLogger(__name__)

TURN_SECONDS: Final = 60.0  # then the slot is free for other messages, and the next order continues the list


class CleanUp(Protocol):
    """Cleans up one job; `retain_seconds` is the value in its order."""

    def __call__(self, job_id: str, process: DeletionProcess, *, retain_seconds: int | None) -> None:
        """Clean up, or raise the error that prevents it."""


_waiting = SharedValue("clean-ups that wait", {})
_turn = SharedValue("turn to clean up", 0)


def take(job_id: str, clean_up: CleanUp, *, retain_seconds: int | None = None) -> None:
    """Clean up this job and all others that wait. While another process or thread of this worker has the turn, only add the job to the list.

    Raises the error of `clean_up` for this job; failures of other jobs are logged.
    """
    with _waiting.held() as waiting:
        waiting[job_id] = retain_seconds
    until = time.monotonic() + TURN_SECONDS
    failure: Exception | None = None
    while failure is None and time.monotonic() < until and _has_waiting():
        with _turn.held(wait=False) as turn:
            if turn is None:
                return
            failure = _work_off(job_id, clean_up, until)
        # Check again: a job may have been added just before the turn ended.
    if failure is not None:
        raise failure


def _work_off(mine: str, clean_up: CleanUp, until: float) -> Exception | None:
    failure: Exception | None = None
    with DeletionProcess() as process:
        while time.monotonic() < until and (order := _next()) is not None:
            job_id, retain_seconds = order
            try:
                clean_up(job_id, process, retain_seconds=retain_seconds)
            except Exception as error:  # noqa: BLE001  # one failed clean-up must not stop the others
                if job_id == mine:
                    failure = error
                else:
                    why = "it was superseded" if isinstance(error, OvertakenError) else error
                    logger.error("could not clean up job %s: %s", job_id, why)  # noqa: TRY400  # the message is enough
    return failure


def _has_waiting() -> bool:
    with _waiting.held() as waiting:
        return bool(waiting)


def _next() -> tuple[str, int | None] | None:
    with _waiting.held() as waiting:
        job_id = next(iter(waiting), None)
        return None if job_id is None else (job_id, waiting.pop(job_id))
