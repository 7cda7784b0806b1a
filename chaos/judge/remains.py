"""Invariant 4: a finished or deleted job leaves nothing behind in Redis or among the files."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.judge.case import Case, problem_if


def leaves_nothing(case: Case) -> Iterator[str]:
    """A finished job has no heartbeat and no message; a deleted one also has no file, and no key that never expires."""
    job = case.job
    flags = case.evidence.flags.get(job.uid)
    if flags is not None and job.confirmed_at is None and (job.withdrawn_at is not None or job.requested_at is None):
        yield problem_if(flags, f"cancel flags exist without a cancel request: {flags}")
    if case.is_gone:
        too_long = [
            leftover.where
            for leftover in case.leftovers
            if leftover.ttl_seconds is None
            or leftover.ttl_seconds > case.evidence.retention_seconds
            or not leftover.expires
        ]
        yield problem_if(too_long, f"the job is deleted, but these never expire or expire too late: {too_long}")
    alive = [leftover.where for leftover in case.leftovers if "alive:" in leftover.where]
    yield problem_if(alive, f"the finished job still has a heartbeat: {alive}")
    if case.evidence.messages is not None and (case.end is not None or case.is_gone):
        messages = case.evidence.messages.get(job.uid, ())
        yield problem_if(messages, f"the finished job still has messages in {sorted(set(messages))}")


def leaves_no_copy_behind(case: Case) -> Iterator[str]:
    """Partial and replaced copies at `spec.output` are deleted with the job's files, or when the job succeeds."""
    job, end = case.job, case.end
    if not job.output_uri or (end is None and not case.is_gone):
        return
    if (end is not None and end.phase == "Succeeded") or job.uid not in case.evidence.with_files:
        hidden = case.evidence.hidden.get(job.uid, ())
        yield problem_if(hidden, f"partial or replaced copies remain: {sorted(hidden)}")
