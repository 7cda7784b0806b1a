"""Invariants 1 and 6: every job ends once, as its scenario allows, keeps that end, and is not lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chaos.judge.case import Case, problem_if
from chaos.judge.excuses import was_harmed
from chaos.witnesses.watcher import OUTCOMES, Snapshot

TTL_SLACK_SECONDS = 2.0
"""Times in a status are whole seconds."""

_TRUTHS_OF: Mapping[str, frozenset[str]] = {
    "Succeeded": frozenset({"Complete", "Finished"}),
    "Failed": frozenset({"Failed", "Finished"}),
    "Cancelled": frozenset({"Cancelled", "Finished"}),
}
_EXPECTED: Mapping[str, frozenset[str]] = {
    "steady": frozenset({"Succeeded"}),
    "withdraw": frozenset({"Succeeded"}),
    "suspend": frozenset({"Succeeded"}),
    "unusable": frozenset({"Failed"}),
    "poison": frozenset({"Failed"}),
    "cancel": frozenset({"Cancelled", "Succeeded"}),  # invariant 3 decides which
    "cancel at once": frozenset({"Cancelled", "Succeeded"}),
    "delete": OUTCOMES,
}
_FAILING = {"unusable", "poison"}
_UNUSABLE_REASON = "NotEnoughOverlap"


def ends_once(case: Case) -> Iterator[str]:
    """The job ends once, as its scenario allows; it keeps that end, and its conditions agree."""
    snapshots = case.history.snapshots
    ended = [snapshot for snapshot in snapshots if snapshot.finished]
    early = [snapshot for snapshot in snapshots if not snapshot.finished and snapshot.true_conditions]
    yield problem_if(early, f"a condition shows an end, but the phase does not: {early[:1]}")
    if not ended:
        if not case.is_gone:
            yield f"the job has not ended: {snapshots[-1:]}"
        return
    reopened = not all(snapshot.finished for snapshot in snapshots[snapshots.index(ended[0]) :])
    yield problem_if(reopened, f"the job was reopened: {snapshots[-5:]}")
    outcomes = {snapshot.phase for snapshot in ended}
    yield problem_if(len(outcomes) > 1, f"the job ended in more than one phase: {sorted(outcomes)}")
    wrong = [
        snapshot
        for snapshot in ended
        if snapshot.true_conditions != _TRUTHS_OF[snapshot.phase] or snapshot.finished_reason != snapshot.phase
    ]
    yield problem_if(wrong, f"phase and conditions disagree: {wrong[:1]}")
    yield _as_expected(case, ended[0])


def _as_expected(case: Case, end: Snapshot) -> str:
    job = case.job
    if end.phase == "Cancelled" and job.confirmed_at is None and not end.confirmed:
        return "the job was cancelled without a confirmation"
    if end.phase not in _EXPECTED[job.scenario]:
        return f"a job of scenario {job.scenario!r} ended {end.phase} ({end.reason})"
    if job.scenario == "unusable" and end.reason != _UNUSABLE_REASON:
        return f"the job failed with reason {end.reason} instead of {_UNUSABLE_REASON}"
    if job.scenario == "poison" and end.failures > job.backoff_limit + 1:
        return f"the job was retried after {end.failures - 1} failures; backoffLimit is {job.backoff_limit}"
    return ""


def is_isolated(case: Case) -> Iterator[str]:
    """An attempt in a separate process fails by itself or by an injected fault, never because of another job."""
    end = case.end
    if end is None or case.job.scenario in _FAILING:
        return
    last = end.attempt - 1 if end.phase == "Succeeded" else end.attempt
    may_have_failed = [number for number in range(1, last + 1) if not _was_unharmed(case, number)]
    yield problem_if(
        end.failures > len(may_have_failed),
        f"{end.failures} attempts failed, but faults hit only these: {may_have_failed}",
    )


def _was_unharmed(case: Case, attempt: int) -> bool:
    """Return False for an attempt with a leg without a model process: no evidence shows on which worker that ran."""
    runs = [run for run in case.runs if run.attempt == attempt]
    legs = 1 + max((seen.leg for seen in case.history.snapshots if seen.attempt == attempt), default=0)
    return len(runs) >= legs and all(
        run.worker in case.evidence.prefork and not was_harmed(run, case.evidence) for run in runs
    )


def is_not_lost(case: Case) -> Iterator[str]:
    """Only its user or its time to live deletes the object, and the job ends."""
    if case.job.deleted_at is not None:
        yield ""
    elif case.history.gone_at is not None:
        yield _expired(case, case.history.gone_at)
    else:
        yield problem_if(
            not case.history.finished, f"the job never ended: {case.history.snapshots[-1:] or 'no status'}"
        )


def _expired(case: Case, gone_at: float) -> str:
    """Return the problem of an object that disappeared before its `ttlSecondsAfterFinished`, or empty."""
    end, seconds = case.end, case.job.ttl_seconds
    if end is None:  # it may have ended and expired while the API server was down for the watcher too
        return problem_if(
            not case.history.unseen, "the object disappeared before the job ended, and no user deleted it"
        )
    if seconds is None or gone_at < end.completed_at + seconds - TTL_SLACK_SECONDS:
        passed = gone_at - end.completed_at
        return f"the object disappeared {passed:.1f} s after completionTime, but ttlSecondsAfterFinished is {seconds}"
    return ""
