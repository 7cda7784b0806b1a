"""Events: a change of status as Kubernetes Events, with the steps of a job's life that a user cares about."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconstruction_operator.api.codec import format_time
from reconstruction_operator.api.status import ConditionType, Phase, ReusedFrom, Status
from reconstruction_operator.contract.steps import STEP_COUNT, STEPS
from reconstruction_operator.planning.types import Event

_T = ConditionType
_normal = partial(Event, "Normal")
_warning = partial(Event, "Warning")

_RESTARTED = {
    "RedisLost": "Redis lost the last attempt",
    "Drained": "The worker was shut down",
    "Superseded": "The last attempt was given up",
}


def events(old: Status, new: Status, queue: str, cancel_by: str = "", cancel_reason: str = "") -> tuple[Event, ...]:
    """Return the Events of the change, in the order of a job's life; none if nothing changed.

    `cancel_by`: which client wrote the step of the cancel, if that is known. `cancel_reason`: the user's.
    """
    if old == new:
        return ()
    ended = _end(old, new)
    cancelled = _cancel(old, new, cancel_by, cancel_reason)
    return (*_accepted(old, new), *cancelled, *_life(old, new, queue), *ended)


def _accepted(old: Status, new: Status) -> Iterator[Event]:
    if _became(old, new, _T.ACCEPTED, "True"):
        yield _normal("Accepted", "The spec is accepted")
    if _became(old, new, _T.ACCEPTED, "False"):
        yield _warning("InvalidSpec", new.why_failed)


def _cancel(old: Status, new: Status, cancel_by: str, cancel_reason: str) -> Iterator[Event]:
    by = f" by {cancel_by}" if cancel_by else ""
    why = f" ({cancel_reason})" if cancel_reason else ""
    if _became(old, new, _T.CANCEL_REQUESTED, "True") and reason_of(new, _T.CANCEL_REQUESTED) == "Requested":
        yield _normal(
            "CancelRequested", f"A cancel is requested{by}{why}: confirm it or withdraw it; the job continues meanwhile"
        )
    if reason_of(new, _T.CANCEL_REQUESTED) == "Withdrawn" and reason_of(old, _T.CANCEL_REQUESTED) != "Withdrawn":
        yield _normal("CancelWithdrawn", f"The request for a cancel was withdrawn{by}")
    if _turned(old, new, _T.CANCEL_REQUESTED, "Confirmed"):
        yield _normal("CancelConfirmed", f"The cancel is confirmed{by}{why}, which is final")


def _life(old: Status, new: Status, queue: str) -> Iterator[Event]:
    if _turned(old, new, _T.SUSPENDED, "Resumed"):
        yield _normal("Resumed", "The job continues")
    yield from _trouble(old, new)
    another = new.attempt != old.attempt
    if new.dispatch_time is not None and (old.dispatch_time is None or another):
        yield _normal("Dispatched", f"Attempt {new.attempt} was sent to queue {queue}")
    leg = new.leg
    moved = leg is not None and (old.leg is None or another or old.leg.number != leg.number)
    if leg is not None and moved:
        why = f"No worker of queue {leg.instead_of} was free in time: stage" if leg.instead_of else "Stage"
        event = _warning if leg.instead_of else _normal
        yield event("Moved", f"{why} {leg.stage} of attempt {new.attempt} runs on queue {leg.queue}")
    # For a waiting job only at first: when a queue loses its workers, all its jobs change at once.
    unserved = old.phase is None and reason_of(new, _T.DISPATCHED) == "QueueUnserved"
    if unserved or _turned(old, new, _T.DISPATCHED, "NoWorker"):
        yield _warning("NoWorker", f"No live worker listens to queue {queue}; the job waits")
    begun = old.worker is None or another or moved
    if new.worker is not None and begun and new.start_time is not None:
        yield _normal("Started", f"Worker {new.worker} has begun attempt {new.attempt}")
    resumed = new.progress.resumed_from if new.progress else ""
    if resumed and (another or old.progress is None or old.progress.resumed_from != resumed):
        yield _normal("ResumedFromStage", f"Attempt {new.attempt} continues after stage {resumed}")
    yield from _steps(old, new)
    if _became(old, new, _T.SUSPENDED, "True"):
        yield _normal("Suspended", "The job is suspended, and does not run")


def _trouble(old: Status, new: Status) -> Iterator[Event]:
    over = new.phase is not None and new.phase.finished
    if new.failures > old.failures and new.failure and not over:
        lost = new.failure.reason == "WORKER_LOST"
        attempt = max(1, old.attempt)
        yield _warning(
            "WorkerLost" if lost else "AttemptFailed", f"Attempt {attempt}: {new.failure.reason}: {new.why_failed}"
        )
    if _turned(old, new, _T.RUNNING, "AwaitingWorker"):
        yield _warning("RedisLost", "Redis lost data; a live worker may register the attempt again")
    why = _RESTARTED.get(reason_of(new, _T.RUNNING))
    if why and new.attempt > old.attempt:
        text = f"{why}; attempt {new.attempt} follows, and no failure is counted"
        yield _warning("RedisLost", text) if reason_of(new, _T.RUNNING) == "RedisLost" else _normal("Restarted", text)


def _steps(old: Status, new: Status) -> Iterator[Event]:
    """Yield the start of each step, with those that passed between two plans; none for a run that ended at once."""
    reached = new.progress.step_index if new.progress else 0
    before = old.progress.step_index if old.progress and old.attempt == new.attempt else 0
    if new.reused_from is not None:
        return
    if new.phase is Phase.RUNNING or (new.phase is Phase.SUCCEEDED and before > 0):
        for step in STEPS:
            if before < step.index <= reached:
                yield _normal("StepStarted", f"Step {step.index} of {STEP_COUNT}: {step.name}")


def _end(old: Status, new: Status) -> Iterator[Event]:
    if new.phase is old.phase:
        return
    if new.phase is Phase.SUCCEEDED:
        if new.simulated:
            yield _warning("Simulated", "The result is a simulation, not made from the photos")
        if new.warning:
            yield _warning("ResultWarning", new.warning)
        if new.reused_from is not None:
            yield _normal("Reused", _reused(new.reused_from))
        yield _normal("Succeeded", new.message)
    elif new.phase is Phase.FAILED and not _became(old, new, _T.ACCEPTED, "False"):
        yield _warning("Failed", new.message)
    elif new.phase is Phase.CANCELLED:
        yield _normal("Cancelled", "The job is cancelled, and does not run")


def _reused(source: ReusedFrom) -> str:
    maker = f"{f'attempt {source.attempt} of ' if source.attempt else ''}the job with uid {source.uid}"
    when = f", complete at {format_time(source.completion_time)}," if source.completion_time else ""
    return f"The result that {maker} made{when} is taken over (spec.reuse); with Never, a new job runs its model"


def _became(old: Status, new: Status, kind: ConditionType, status: str) -> bool:
    before = old.condition(kind)
    after = new.condition(kind)
    return after is not None and after.status == status and (before is None or before.status != status)


def _turned(old: Status, new: Status, kind: ConditionType, reason: str) -> bool:
    return reason_of(new, kind) == reason != reason_of(old, kind)


def reason_of(status: Status, kind: ConditionType) -> str:
    """Return the reason of this condition; empty if the status does not have it."""
    condition = status.condition(kind)
    return condition.reason if condition else ""
