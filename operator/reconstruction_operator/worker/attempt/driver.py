"""Attempt driver: claims an attempt, runs it, records its end and cleans up. It does not depend on Celery."""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass

from redis.exceptions import RedisError

from reconstruction_operator import config
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.exhaustion import ExhaustedError
from reconstruction_operator.models.interface import StageElsewhere
from reconstruction_operator.state.replies import BeatReply, ClaimCode, ClaimReply
from reconstruction_operator.worker.attempt import ending
from reconstruction_operator.worker.attempt.assignment import Assignment
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError
from reconstruction_operator.worker.attempt.observer import AttemptObserver
from reconstruction_operator.worker.attempt.ownership import Ownership
from reconstruction_operator.worker.attempt.progress import Meta, ProgressSender, Send
from reconstruction_operator.worker.attempt.run import AttemptRun
from reconstruction_operator.worker.heartbeat import Heartbeat
from reconstruction_operator.worker.interruption import InterruptedRunError
from reconstruction_operator.worker.parts.sharing import SendOrder

logger = logging.getLogger(__name__)

_CLAIM_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a caller waits for Redis."""

    claim_seconds: float
    end_seconds: float  # for the end to be recorded
    flush: bool  # whether progress that is unsent when the run ends is still sent


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How an attempt ended."""

    end: End | None  # the end that counts; None: the attempt belongs to another run
    failure: ReconstructionFailedError | None = None  # the run's own end, even if a cancel came first
    progress: Meta | None = None  # of a run that ended its leg: sending it again tells the operator of that


class NotClaimedError(Exception):
    """The message is a duplicate, is no longer wanted, or has no record."""

    def __init__(self, code: ClaimCode) -> None:
        super().__init__(code.value)
        self.code = code


def drive(assignment: Assignment, send: Send, patience: Patience, order: SendOrder | None = None) -> Conclusion:
    """Drive an attempt from its claim to its end. `send` sends its progress, `order` orders to help it; None: no worker
    helps.

    Raises:
        NotClaimedError: the attempt may not run here.
        RedisError: Redis did not reply to the claim in time.
        RedisAwayTooLongError: the end could not be recorded in time.

    """
    token = uuid.uuid4().hex
    ownership = Ownership(assignment.attempt, token, assignment.worker, assignment.leg)
    claim, asked_at = _claim(ownership, patience.claim_seconds)
    if claim.code is not ClaimCode.CLAIMED:
        raise NotClaimedError(claim.code)
    heartbeat = Heartbeat(
        beat=ownership.beat,
        cancelled=ownership.cancelled,
        every_seconds=config.settings.BEAT_SECONDS,
        drain_seconds=config.settings.DRAIN_SECONDS,
        first=BeatReply(owned=True, cancelled=claim.cancelled, stop=claim.stop),
        first_asked_at=asked_at,
    )
    try:
        with heartbeat, ProgressSender(send, flush=patience.flush) as sender:
            return carry_out(
                assignment, ownership, heartbeat, sender, patience_seconds=patience.end_seconds, order=order
            )
    except ExhaustedError:
        # No thread renews the claim, which expires soon: without Redis, the operator finds the worker lost.
        end = ending.end_of_exhaustion(ending.place_of(None, 0.0), assignment.worker)
        logger.warning("%s is given back: %s", assignment.job, end.message)
        return Conclusion(ending.record(end, ownership, heartbeat, patience_seconds=config.settings.ALIVE_TTL_SECONDS))


def carry_out(
    assignment: Assignment,
    ownership: Ownership,
    heartbeat: Heartbeat,
    sender: ProgressSender,
    *,
    patience_seconds: float,
    order: SendOrder | None = None,
) -> Conclusion:
    """Run a claimed attempt, record its end and clean up."""
    observer = AttemptObserver(assignment, sender)
    run = AttemptRun(assignment, heartbeat, observer, token=ownership.token, order=order)
    begun = time.monotonic()
    failure: ReconstructionFailedError | None = None
    end: End | None
    try:
        end = run.execute()
    except ReconstructionFailedError as error:
        failure, end = error, End(Outcome.FAILED, error.reason, error.message, worker=assignment.worker)
    except InterruptedRunError as error:
        where = ending.place_of(run.reached, time.monotonic() - begun)
        end = ending.end_of_interruption(error.interruption, where, assignment.worker)
    except StageElsewhere as error:
        following = assignment.next_leg(error.stage)
        run.leave()
        found = observer.findings
        interruption = ending.end_leg(following, found, ownership, heartbeat, patience_seconds=patience_seconds)
        if interruption is None:
            observer.left(following)
            return Conclusion(None, progress=observer.meta)
        where = ending.place_of(run.reached, time.monotonic() - begun)
        end = ending.end_of_interruption(interruption, where, assignment.worker)
    if end is not None and end.outcome is Outcome.FAILED and run.result is not None:
        end = ending.with_result(end, run.result)
        failure = failure and ReconstructionFailedError(end.reason, end.message)
    if end is not None:
        if run.reached is not None:
            end = ending.with_run(end, observer)
        end = ending.record(end, ownership, heartbeat, patience_seconds=patience_seconds)
    if end is None:
        # if Redis lost the claim, a later beat would claim the attempt again, and no run would end it
        heartbeat.cease()
    observer.ended(end)
    run.clean_up(end)
    if run.published and end is None:
        # The job may have been deleted in Redis and the API server, so that no record names the result in its folder.
        ending.report_folder(assignment.attempt)
    return Conclusion(end, failure)


def _claim(ownership: Ownership, patience_seconds: float) -> tuple[ClaimReply, float]:
    """Return Redis's reply to the claim, and when the claim was sent (monotonic seconds)."""
    deadline = time.monotonic() + patience_seconds
    while True:
        asked_at = time.monotonic()
        try:
            return ownership.claim(), asked_at
        except RedisError as error:
            if time.monotonic() >= deadline:
                raise
            logger.warning("cannot claim %s yet: %s", ownership.attempt.task_id, error)
            time.sleep(_CLAIM_RETRY_SECONDS)
