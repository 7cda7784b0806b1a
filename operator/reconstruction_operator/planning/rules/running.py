"""Running attempts: progress, deadline and loss of an attempt that a worker runs; recovery of an attempt that Redis
lost.
"""

from __future__ import annotations

from dataclasses import replace

from reconstruction_operator.contract.outcomes import StopReason
from reconstruction_operator.planning.case import Case, Decision, JobState
from reconstruction_operator.planning.rules import attempts, restarting
from reconstruction_operator.planning.status.details import claimed, with_findings
from reconstruction_operator.planning.status.progress import advance


def decide(case: Case) -> Decision | None:
    """Report, stop or give up an attempt that a worker runs."""
    if not case.worker:
        return None
    deadline = case.active_deadline
    overdue = deadline is not None and deadline <= case.now
    if case.lost:
        return attempts.give_up(case, overdue=overdue)
    if case.seen.stop is not None or overdue:
        return attempts.stop(case, case.seen.stop or StopReason.DEADLINE)
    moved = advance(case.stored, case.observed.progress, case.now, case.timing)
    status = claimed(case)
    report = case.observed.progress
    if report is not None and moved.progress is not case.stored.progress:  # steps and quality alone cause no write
        status = replace(with_findings(status, report.findings), progress=moved.progress)
    return Decision(
        JobState.RUNNING, status, wake=(attempts.liveness_check(case), deadline, moved.wake_at), text=moved.text
    )


def recover(case: Case) -> Decision | None:
    """Recover an attempt that Redis lost: a live worker may register it again, else another attempt follows."""
    if not case.claim_lost:
        return None
    if case.in_grace:
        return attempts.await_registration(case, JobState.RECOVERING)
    return restarting.another(case, case.stored, due=None, cause="REDIS_LOST")
