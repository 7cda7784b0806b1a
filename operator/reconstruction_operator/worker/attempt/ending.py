"""How an attempt is over: its end is recorded in Redis, and its files follow."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import dataclass, replace

from redis.exceptions import RedisError

from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import End, Owner
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import calls, worker_calls
from reconstruction_operator.state.errors import ProtocolError
from reconstruction_operator.state.replies import FinishReply, FinishVerdict
from reconstruction_operator.worker import deletion
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError
from reconstruction_operator.worker.attempt.heartbeat import Heartbeat
from reconstruction_operator.worker.attempt.interruption import Interruption, Kind
from reconstruction_operator.worker.attempt.ownership import Ownership
from reconstruction_operator.worker.attempt.steps import Reached

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 0.25
_LAST_PAUSE_SECONDS = 5.0
_FORGOTTEN_SECONDS = 600.0  # Redis knows neither claim nor record: this long for the operator to put the record back

_STOPPED = {
    StopReason.SUSPEND: (Outcome.STOPPED, "SUSPENDED"),
    StopReason.DEADLINE: (Outcome.FAILED, "TIMEOUT"),
    StopReason.DELETED: (Outcome.STOPPED, "DELETED"),
    StopReason.SUPERSEDED: (Outcome.STOPPED, "SUPERSEDED"),
}


class RedisAwayTooLongError(Exception):
    """The end of an attempt could not be recorded in all the time that there was."""


@dataclass(frozen=True, slots=True)
class Where:
    """How far an attempt was, and after how long, for messages."""

    reached: Reached | None
    seconds: float

    def __str__(self) -> str:
        """For people."""
        if self.reached is None:
            return f"before its first step, after {self.seconds:.0f} s"
        step = self.reached.step
        return f"at step {step.index} of 6 ({step.name}, {self.reached.percent}%), after {self.seconds:.0f} s"


def end_of_interruption(interruption: Interruption, where: Where, worker: str) -> End | None:
    """The end to record, or None for an attempt that is somebody else's."""
    match interruption.kind:
        case Kind.OVERTAKEN:
            return None
        case Kind.CANCELLED:
            return End(Outcome.CANCELLED, "CANCELLED", f"cancelled {where}", worker=worker)
        case Kind.DRAINED:
            return End(Outcome.STOPPED, "DRAINED", f"its worker was shut down; stopped {where}", worker=worker)
        case Kind.STOPPED:
            outcome, reason = _STOPPED[interruption.reason or StopReason.SUPERSEDED]
            why = "activeDeadlineSeconds is over; " if reason == "TIMEOUT" else ""
            return End(outcome, reason, f"{why}stopped {where}", worker=worker)


def end_of_failure(failure: ReconstructionFailedError, worker: str) -> End:
    """The end to record for a run that failed."""
    return End(Outcome.FAILED, failure.reason, failure.message, worker=worker)


def settle(end: End, ownership: Ownership, heartbeat: Heartbeat, *, patience_seconds: float) -> End | None:
    """Has `end` recorded; gives back the end that counts, or None if the attempt is somebody else's.

    A confirmed cancel beats any other end: then the job's files are deleted first, so that Cancelled is never said of a
    job that still has something lying about, unless that cannot be deleted: the end says so, and the operator orders the
    deletion until it succeeds. While Redis is away this goes on trying.

    Raises:
        RedisAwayTooLongError: for `patience_seconds`.

    """
    deadline = time.monotonic() + patience_seconds
    while True:
        if end.outcome is Outcome.CANCELLED:
            if _is_overtaken(heartbeat):
                logger.warning("attempt %s has been overtaken: what it was told of a cancel is old", ownership.task_id)
                return None
            end = replace(end, files_left=not _delete_files(ownership.job_id))
        reply = _finish(end, ownership, heartbeat, deadline)
        match reply.verdict:
            case FinishVerdict.RECORDED | FinishVerdict.ALREADY:
                return reply.end or end
            case FinishVerdict.OVERTAKEN:
                logger.warning(
                    "attempt %s has been overtaken: its end (%s) does not count", ownership.task_id, end.outcome
                )
                if reply.end is not None and reply.end.outcome is Outcome.CANCELLED:
                    _delete_files(ownership.job_id)  # others have done so, but perhaps before this one began to write
                return None
            case FinishVerdict.CANCELLED:
                end = End(Outcome.CANCELLED, "CANCELLED", f"cancelled when it was {_done(end)}", worker=end.worker)


def _delete_files(job_id: str) -> bool:
    """Whether the job's files are deleted. What cannot be is said in the log: it must not keep a cancelled job alive."""
    try:
        deletion.delete(job_id, cancelled=True)
    except (OSError, OvertakenError) as error:
        logger.error("could not delete the files of job %s: %s", job_id, error)  # noqa: TRY400  # the text says it all
        return False
    return True


def report_folder(owner: Owner) -> None:
    """Says that the job has files, so that the operator orders their deletion if the job's object is gone."""
    if not owner.install_id:
        return
    try:
        calls.run(job_manager.get_redis_client(), worker_calls.report_folders(Keys(), owner.install_id, [owner]))
    except (RedisError, ProtocolError) as error:  # the next worker that starts says it
        logger.warning("the files of job %s could not be reported: %s", owner.job_id, error)


def _is_overtaken(heartbeat: Heartbeat) -> bool:
    """Asked just before files are deleted: whoever stood still meanwhile would delete another attempt's result."""
    with contextlib.suppress(RedisError, ProtocolError):  # without Redis, what was heard last holds
        heartbeat.ask_now()
    interruption = heartbeat.interruption
    return interruption is not None and interruption.kind is Kind.OVERTAKEN


def _done(end: End) -> str:
    return "done" if end.outcome is Outcome.SUCCEEDED else f"about to end as {end.outcome} ({end.reason})"


def _finish(end: End, ownership: Ownership, heartbeat: Heartbeat, deadline: float) -> FinishReply:
    pause = _FIRST_PAUSE_SECONDS
    forgotten_since: float | None = None
    while True:
        try:
            reply = ownership.finish(end)
            if reply.verdict is not FinishVerdict.OVERTAKEN or reply.end is not None:
                return reply
            # Without an end that counts, it may be that Redis was emptied: a beat makes the claim again.
            forgotten_since = forgotten_since or time.monotonic()
            if not heartbeat.ask_now().owned or time.monotonic() - forgotten_since > _FORGOTTEN_SECONDS:
                return reply
        except (RedisError, ProtocolError) as error:
            if time.monotonic() > deadline:
                raise RedisAwayTooLongError(f"the end ({end.outcome}) could not be recorded: {error}") from error
            if pause == _FIRST_PAUSE_SECONDS:
                logger.warning("the end (%s) cannot be recorded yet, trying again: %s", end.outcome, error)
        interruption = heartbeat.interruption
        if interruption is not None and interruption.kind is Kind.OVERTAKEN:
            return FinishReply(FinishVerdict.OVERTAKEN)
        threading.Event().wait(pause)
        pause = min(2 * pause, _LAST_PAUSE_SECONDS)
