"""Invariant 4: nothing is left of a job that is over, in Redis or in the files."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.judge.case import Case, problem_if


def leaves_nothing(case: Case) -> Iterator[str]:
    """Of a job that is over there is no heartbeat, flag, message or file, and no key that never expires."""
    job = case.job
    flags = case.evidence.flags.get(job.uid)
    if flags is not None and job.confirmed_at is None and (job.withdrawn_at is not None or job.requested_at is None):
        yield problem_if(flags, f"cancel flags exist without a cancel: {flags}")
    if case.is_gone:
        too_long = [
            one.where
            for one in case.leftovers
            if one.ttl_seconds is None or one.ttl_seconds > case.evidence.retention_seconds or not one.expires
        ]
        yield problem_if(too_long, f"it is deleted, and these never expire or expire too late: {too_long}")
    alive = [one.where for one in case.leftovers if "alive:" in one.where]
    yield problem_if(alive, f"it is over and still has a heartbeat: {alive}")
    if case.evidence.messages is not None and (case.end is not None or case.is_gone):
        messages = case.evidence.messages.get(job.uid, ())
        yield problem_if(messages, f"it is over and still has messages in {sorted(set(messages))}")


def leaves_no_copy_behind(case: Case) -> Iterator[str]:
    """Partial and replaced copies at `spec.output` are deleted with the job's files, or when the job has succeeded."""
    job, end = case.job, case.end
    if not job.output_uri or (end is None and not case.is_gone):
        return
    if (end is not None and end.phase == "Succeeded") or job.uid not in case.evidence.with_files:
        hidden = case.evidence.hidden.get(job.uid, ())
        yield problem_if(hidden, f"these are left beside its copy: {sorted(hidden)}")
