"""Invariant 2: one attempt has effects.

Two attempts never run together, unless a fault keeps the older one from noticing that it is superseded; nor do two legs
of one attempt, and none makes what another has made. A result is published, reported and delivered once, and matches
the status.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from chaos.judge.case import Case, name, problem_if
from chaos.judge.evidence import Output
from chaos.judge.excuses import could_know_at, may_run_again, was_forgotten
from chaos.witnesses.journal import ModelRun
from chaos.witnesses.watcher import Snapshot


def runs_alone(case: Case) -> Iterator[str]:
    """No two attempts run at the same time once the older one could notice that it was superseded."""
    for older, newer in combinations(case.runs, 2):
        if older.last <= newer.start:
            yield ""
            continue
        # A fault that stopped the older run or cut it off may delay this.
        knows = could_know_at(older, newer.start, case.evidence)
        if knows is None and older.attempt == newer.attempt and was_forgotten(newer.start, case.evidence):
            knows = newer.start  # claimed twice between two heartbeats: the older run notices at its next one
        if knows is None:
            yield (
                f"attempts {name(older)} and {name(newer)} ran at the same time, and no fault stopped or "
                "cut off the older one"
            )
            continue
        late = older.last - knows
        yield problem_if(
            late > case.evidence.bounds.superseded,
            f"attempt {name(older)} ran on for {late:.1f} s after it could notice that {name(newer)} superseded it",
        )


def makes_each_stage_once(case: Case) -> Iterator[str]:
    """In the legs of one attempt no stage is made twice."""
    makers: dict[tuple[int, str], ModelRun] = {}
    for run in case.runs:
        for stage in run.stages:
            first = makers.setdefault((run.attempt, stage), run)
            # A run whose claim Redis has lost is superseded with its files, and the attempt begins again.
            twice = first is not run and not may_run_again(first.start, run.start, case.evidence)
            yield problem_if(twice, f"stage {stage} was made by {name(first)} and again by {name(run)}")


def publishes_once(case: Case) -> Iterator[str]:
    """One finished run publishes the result; no result is replaced, or published after the end."""
    end = case.end
    for output in case.outputs:
        yield output.problem
        maker = _maker(case, output)
        finished = maker is not None and maker.ended
        yield problem_if(not finished, f"the result is from {output.signature}, which never finished")
    if end is None:
        return
    outputs = [output for output in case.outputs if not _is_of_a_rerun(case, output.at)]
    after = [output for output in outputs if output.at > end.at + 1.0]  # one poll of the files takes up to 1 s
    before = [output for output in outputs if output.at <= end.at + 1.0]
    if end.phase == "Succeeded":
        yield problem_if(before and after, "the result was replaced after it was reported")
    else:
        late = [output for output in after if not _could_not_know(case, output, end)]
        yield problem_if(late, f"a result appeared after the job ended {end.phase}")


def _maker(case: Case, output: Output) -> ModelRun | None:
    return next((run for run in case.runs if run.signature == output.signature), None)


def _is_of_a_rerun(case: Case, at: float) -> bool:
    """Return whether older data of Redis had made a deleted job run again by then.

    Invariant 4 checks that no file of it stays.
    """
    gone = case.gone_at
    return gone is not None and at > gone and may_run_again(gone, at, case.evidence)


def _could_not_know(case: Case, output: Output, end: Snapshot) -> bool:
    """Return whether the output's attempt was stopped or cut off when the job ended, and had no time to notice."""
    maker = _maker(case, output)
    knows = None if maker is None else could_know_at(maker, end.at, case.evidence)
    return knows is not None and output.at <= knows + case.evidence.bounds.superseded


def keeps_its_result(case: Case) -> Iterator[str]:
    """The result is never deleted or replaced, and the status reports it."""
    end = case.end
    if end is None or case.is_gone or end.phase != "Succeeded":
        return
    final = case.evidence.final.get(case.job.uid)
    if final is None:
        yield "the job succeeded, but has no result"
        return
    yield final.problem
    published = {output.digest for output in case.outputs[-1:]} or {final.digest}
    yield problem_if(final.digest not in published, "the result at the end is not the published one")
    yield problem_if(
        final.attempt is not None and final.attempt > end.attempt,
        f"the result is of attempt {final.attempt}, but the status shows attempt {end.attempt}",
    )
    yield problem_if(
        end.output_bytes != final.bytes, f"the result has {final.bytes} bytes, but the status shows {end.output_bytes}"
    )


def delivers_what_it_reports(case: Case) -> Iterator[str]:
    """The copy at `spec.output` is the reported result, and remains when the job is deleted."""
    job, end = case.job, case.end
    if not job.output_uri or end is None or end.phase != "Succeeded":
        return
    there = case.evidence.delivered.get(job.uid)
    if there is None:
        yield "the job succeeded, but there is no copy at spec.output"
        return
    yield there.problem
    yield problem_if(
        end.output_uri != there.uri, f"the result was delivered to {there.uri}, but the status shows {end.output_uri}"
    )
    own = [output.digest for output in case.outputs if not _is_of_a_rerun(case, output.at)]
    again = {output.digest for output in case.outputs if _is_of_a_rerun(case, output.at)}
    reported = {*own[-1:], *again} or {there.digest}
    yield problem_if(there.digest not in reported, "the copy is not the reported result")
    yield problem_if(there.job_id != job.uid, f"the copy is of job {there.job_id}")
    seen = {delivery.digest for delivery in case.evidence.deliveries.get(job.uid, ()) if delivery.at > end.at + 1.0}
    yield problem_if(seen - {there.digest} - again, "the copy was replaced after it was reported")
