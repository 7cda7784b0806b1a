"""End of an attempt: derives it from the run, and records it in Redis."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

from redis.exceptions import RedisError

from reconstruction_operator.api.attempt_status import Leg
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.api.status import OutputFile, Outputs
from reconstruction_operator.contract.attempt import Findings, SupersededError
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import End
from reconstruction_operator.services import file_handler, job_manager
from reconstruction_operator.state import calls, worker_calls
from reconstruction_operator.state.replies import FinishCode, FinishReply, LegCode
from reconstruction_operator.transfer.outputs import target_of
from reconstruction_operator.worker import job_deletion
from reconstruction_operator.worker.attempt.observer import AttemptObserver
from reconstruction_operator.worker.attempt.ownership import Ownership
from reconstruction_operator.worker.attempt.steps import Reached
from reconstruction_operator.worker.heartbeat import Heartbeat
from reconstruction_operator.worker.interruption import Interruption, InterruptionKind

logger = logging.getLogger(__name__)

_MAX_FILES = 16  # in the status
_FIRST_PAUSE_SECONDS = 0.25
_LAST_PAUSE_SECONDS = 5.0
# Time to retry while Redis has lost the claim and the record: the operator needs time to restore the record
_FORGOTTEN_SECONDS = 600.0

_STOPPED = {
    StopReason.SUSPEND: (Outcome.STOPPED, "SUSPENDED"),
    StopReason.DEADLINE: (Outcome.FAILED, "TIMEOUT"),
    StopReason.DELETED: (Outcome.STOPPED, "DELETED"),
    StopReason.SUPERSEDED: (Outcome.STOPPED, "SUPERSEDED"),
}


class RedisAwayTooLongError(Exception):
    """Redis was unavailable for so long that the end of an attempt could not be recorded."""


def place_of(reached: Reached | None, seconds: float) -> str:
    """Return how far an attempt got: "at step 3 of 6 (Running reconstruction, 41%), after 12 s"."""
    if reached is None:
        return f"before its first step, after {seconds:.0f} s"
    step = reached.step
    return f"at step {step.index} of 6 ({step.name}, {int(reached.percent)}%), after {seconds:.0f} s"


def end_of_success(manifest: Manifest, worker: str) -> End:
    """Return the end to record for a sealed result."""
    return End(
        Outcome.SUCCEEDED,
        worker=worker,
        simulated=manifest.simulated,
        findings=manifest.findings,
        outputs=Outputs(
            uri=target_of(manifest.uri, "").place_of(manifest) if manifest.uri else _in_job_folder(manifest),
            bytes=sum(file.bytes for file in manifest.files),
            files=tuple(OutputFile(file.name, file.bytes) for file in manifest.files[:_MAX_FILES]),
        ),
        reused_from=manifest.reused_from,
    )


def with_run(end: End, observer: AttemptObserver) -> End:
    """Return the end with what its run found. The quality of a result is the one that the end has already."""
    found = observer.findings.over(end.findings)
    return replace(end, findings=replace(found, quality=end.findings.quality or found.quality))


def with_result(end: End, manifest: Manifest) -> End:
    """Return the end of an attempt that published a result but delivered no copy.

    It names the result in the job's folder.
    """
    made = end_of_success(manifest, end.worker)
    uri = _in_job_folder(manifest)
    message = f"{end.message}; the result is in {uri}"
    named = made.outputs and replace(made.outputs, uri=uri)
    return replace(made, outcome=end.outcome, reason=end.reason, message=message, outputs=named)


def end_of_interruption(interruption: Interruption, where: str, worker: str) -> End | None:
    """Return the end to record for a run that was interrupted `where`; None if the attempt belongs to another run."""
    match interruption.kind:
        case InterruptionKind.SUPERSEDED:
            return None
        case InterruptionKind.CANCELLED:
            return End(Outcome.CANCELLED, "CANCELLED", f"cancelled {where}", worker=worker)
        case InterruptionKind.DRAINED:
            return End(Outcome.STOPPED, "DRAINED", f"its worker was shut down; stopped {where}", worker=worker)
        case InterruptionKind.EXHAUSTED:
            return end_of_exhaustion(where, worker)
        case InterruptionKind.STOPPED:
            outcome, reason = _STOPPED[interruption.reason or StopReason.SUPERSEDED]
            why = "activeDeadlineSeconds has expired; " if reason == "TIMEOUT" else ""
            return End(outcome, reason, f"{why}stopped {where}", worker=worker)


def end_of_exhaustion(where: str, worker: str) -> End:
    """Return the end to record for a run whose worker could start no thread or process."""
    text = f"its worker had reached its limit of processes; stopped {where}"
    return End(Outcome.STOPPED, "WORKER_EXHAUSTED", text, worker=worker)


def record(end: End, ownership: Ownership, heartbeat: Heartbeat, *, patience_seconds: float) -> End | None:
    """Record `end`. Return the end that counts, or None if the attempt belongs to another run.

    A confirmed cancel overrides any other end. The job's files are deleted before Cancelled is recorded, so that no job
    is reported as cancelled while it still has files. If they cannot be deleted, the end records that, and the operator
    orders the deletion until it succeeds. While Redis is unavailable, this function retries.

    Raises RedisAwayTooLongError after `patience_seconds` without Redis.
    """
    deadline = time.monotonic() + patience_seconds
    if ownership.attempt.is_bare and end.outcome is Outcome.STOPPED:
        # The end releases the claim for the task's next delivery. A later beat would claim it again, and the delivery
        # would be dropped.
        heartbeat.cease()
    while True:
        if end.outcome is Outcome.CANCELLED:
            # a run that was paused could delete its successor's result; without Redis, the last reply counts
            heartbeat.confirm()
            if heartbeat.superseded:
                logger.warning("attempt %s was superseded: its cancel is outdated", ownership.attempt.task_id)
                return None
            end = replace(end, files_left=not _delete_files(ownership))
        reply = _finish(end, ownership, heartbeat, deadline)
        match reply.code:
            case FinishCode.RECORDED | FinishCode.ALREADY | FinishCode.RELEASED:
                return reply.end or end
            case FinishCode.SUPERSEDED:
                logger.warning(
                    "attempt %s was superseded: its end (%s) does not count", ownership.attempt.task_id, end.outcome
                )
                if reply.end is not None and reply.end.outcome is Outcome.CANCELLED:
                    # Delete again: the first deletion may have come before this run's last writes.
                    _delete_files(ownership)
                return None
            case FinishCode.CANCELLED:
                done = end.outcome is Outcome.SUCCEEDED
                state = "done" if done else f"about to end as {end.outcome} ({end.reason})"
                end = End(Outcome.CANCELLED, "CANCELLED", f"cancelled when it was {state}", worker=end.worker)


def report_folder(owner: AttemptRef) -> None:
    """Report to Redis that the job has files.

    The operator orders their deletion if the job's object no longer exists.
    """
    if not owner.job.install_id:
        return
    try:
        report = worker_calls.report_folders(Keys(), owner.job.install_id, [owner])
        calls.run(job_manager.get_redis_client(), report)
    except (RedisError, calls.ProtocolError) as error:  # the next worker that starts reports them
        logger.warning("the files of job %s could not be reported: %s", owner.job_id, error)


def _in_job_folder(manifest: Manifest) -> str:
    return f"file://{file_handler.output_dir(manifest.attempt.job_id)}"


def _delete_files(ownership: Ownership) -> bool:
    """Delete the job's files; return whether that succeeded.

    A failure is only logged, because a cancelled job must end anyway.
    """
    try:
        job_deletion.delete(ownership.attempt.job, cancelled=True)
    except (OSError, SupersededError) as error:
        logger.error("could not delete the files of job %s: %s", ownership.attempt.job_id, error)  # noqa: TRY400  # the message is enough
        return False
    return True


def end_leg(
    following: Leg, found: Findings, ownership: Ownership, heartbeat: Heartbeat, *, patience_seconds: float
) -> Interruption | None:
    """End this leg of the attempt, whose legs have `found` that; return why the attempt ends instead, or None.

    While Redis is unavailable, this function retries.

    Raises RedisAwayTooLongError after `patience_seconds` without Redis.
    """
    deadline, pause = time.monotonic() + patience_seconds, _FIRST_PAUSE_SECONDS
    while True:
        try:
            code = ownership.end_leg(following, found)
            if code is LegCode.ENDED:
                heartbeat.cease()
                return None
            heartbeat.confirm()
            return heartbeat.interruption or Interruption(InterruptionKind.SUPERSEDED)
        except (RedisError, calls.ProtocolError) as error:
            if time.monotonic() > deadline:
                raise RedisAwayTooLongError(f"the end of a leg could not be recorded: {error}") from error
        if heartbeat.superseded:
            return heartbeat.interruption
        threading.Event().wait(pause)
        pause = min(2 * pause, _LAST_PAUSE_SECONDS)


def _finish(end: End, ownership: Ownership, heartbeat: Heartbeat, deadline: float) -> FinishReply:
    pause = _FIRST_PAUSE_SECONDS
    forgotten_since: float | None = None
    while True:
        try:
            reply = ownership.finish(end)
            if reply.code is not FinishCode.SUPERSEDED or reply.end is not None:
                return reply
            # Superseded, but no end is recorded: Redis may have lost its data. Then a heartbeat restores the claim.
            forgotten_since = forgotten_since or time.monotonic()
            if not heartbeat.ask_now().owned or time.monotonic() - forgotten_since > _FORGOTTEN_SECONDS:
                return reply
        except (RedisError, calls.ProtocolError) as error:
            if time.monotonic() > deadline:
                raise RedisAwayTooLongError(f"the end ({end.outcome}) could not be recorded: {error}") from error
            if pause == _FIRST_PAUSE_SECONDS:
                logger.warning("the end (%s) cannot be recorded yet, retrying: %s", end.outcome, error)
        if heartbeat.superseded:
            return FinishReply(FinishCode.SUPERSEDED)
        threading.Event().wait(pause)
        pause = min(2 * pause, _LAST_PAUSE_SECONDS)
