"""Invariant 3: a job whose cancel was confirmed ends as Cancelled in time, and its work stops."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.judge.case import Case, name, problem_if
from chaos.judge.excuses import could_know_at, reachable_seconds, was_divided


def cancels(case: Case) -> Iterator[str]:
    """A confirmed cancel ends the job as Cancelled in time, unless it finished before; its work stops, and its files
    are deleted.
    """
    job, end = case.job, case.end
    if job.confirmed_at is None or job.ended_when_confirmed or end is None:
        return
    if end.phase == "Succeeded":
        yield _had_finished_before(case, job.confirmed_at)
        return
    if end.phase != "Cancelled":
        yield f"a cancel was confirmed, but the job ended {end.phase}"
        return
    bounds = case.evidence.bounds
    waited = reachable_seconds(job.confirmed_at, end.at, case.evidence, case.runs)
    yield problem_if(
        waited > bounds.cancelling,
        f"the job was reported as cancelled {waited:.1f} s after the confirmation was visible",
    )
    for run in case.runs:
        passed = reachable_seconds(job.confirmed_at, run.start, case.evidence, [run])
        if run.start > end.at:
            divided = was_divided(run, end.at, case.evidence)
            yield problem_if(not divided, f"{name(run)} started after the job was reported as cancelled")
        elif run.start > job.confirmed_at and passed > bounds.acting:
            yield f"{name(run)} started {passed:.1f} s after the confirmation was visible"
        elif run.last > end.at:
            knows = could_know_at(run, end.at, case.evidence)
            late = run.last - (end.at if knows is None else knows + bounds.superseded)
            yield problem_if(late > 0.0, f"{name(run)} ran on for {late:.1f} s after the job was reported as cancelled")
    left = [leftover.where for leftover in case.leftovers if leftover.where.startswith("/")]
    yield problem_if(left, f"the job's files remain: {left}")
    if job.output_uri:
        yield problem_if(job.uid in case.evidence.delivered, "the result was delivered")


def _had_finished_before(case: Case, confirmed_at: float) -> str:
    """Return the problem if Succeeded is wrong; empty if the work finished before the worker could see the cancel."""
    made = {output.signature for output in case.outputs}
    done = max((run.last for run in case.runs if run.ended and run.signature in made), default=None)
    if done is None:
        return "a cancel was confirmed, but the job Succeeded without a model that finished"
    if reachable_seconds(confirmed_at, done, case.evidence) > case.evidence.bounds.acting:
        return f"a cancel was confirmed {done - confirmed_at:.1f} s before the work finished, but the job Succeeded"
    return ""
