"""Preflight: an unusable input fails a waiting job before a worker is free."""

from __future__ import annotations

from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.preflight import Verdict
from reconstruction_operator.planning.case import Case, Decision
from reconstruction_operator.planning.rules.attempts import end_unclaimed


def decide(case: Case) -> Decision | None:
    """End an attempt whose input the preflight found unusable, if no worker has begun.

    If a worker claims the attempt at the same moment, only one of the two gets the claim.
    """
    checked = case.seen.checked
    begun = case.stored.start_time is not None or case.stored.worker is not None or case.attempt > 1
    if checked is None or checked.verdict is not Verdict.UNUSABLE or begun or case.in_grace:
        return None
    return end_unclaimed(case, Outcome.FAILED, checked.reason, checked.message)
