"""The judge finds each violation of an invariant, and no violation where the evidence or a fault excuses it.

A row names the evidence of one job. Tables by number give the invariant that a row is about.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from chaos.judge.evidence import Evidence, Lag, Leftover, Slack
from chaos.judge.invariants import judge
from tests.unit.chaos.judge.cases import (
    AGAIN,
    CANCELLED,
    COPY,
    COULD_HAVE_KNOWN,
    CUT,
    DELETED,
    FAILED,
    FIRST,
    FLUSHED,
    KEPT,
    LATE,
    LATE_CANCEL,
    LEADER,
    MUCH_LATER,
    POISONED,
    REPORTED,
    RETENTION,
    STANDBY,
    STOPPED,
    SUCCEEDED,
    UID,
    broken,
    cancelled,
    confirmed,
    delivered,
    evidence,
    in_parallel,
    job,
    of_poison,
    output,
    patient,
    problems,
    run,
    running,
    tried_twice,
    with_files,
    with_messages,
)

Rows = Mapping[str, Evidence]


def numbered(tables: Mapping[int, Rows]) -> dict[str, Any]:
    """Return the arguments of `parametrize` for (invariant, found)."""
    rows = [(number, name, found) for number, table in tables.items() for name, found in table.items()]
    return {
        "argnames": ("invariant", "found"),
        "argvalues": [(number, found) for number, _, found in rows],
        "ids": [f"{number}: {name}" for number, name, _ in rows],
    }


ALLOWED: Rows = {
    "a stopped worker noticed in five seconds": in_parallel(STOPPED),
    "a later cut begins before the run had to stop": in_parallel(
        STOPPED, replace(STOPPED, begin=18.0, end=19.0), runs=LATE
    ),
    "a cut hit the worker of the superseded attempt": in_parallel(replace(STOPPED, victims=frozenset({"a"}))),
    "a cut hit the model of the superseded attempt": in_parallel(replace(STOPPED, victims=frozenset({"101", "100"}))),
    "patience gives a busy machine more time": patient(in_parallel(STOPPED, runs=LATE)),
    "an attempt that Redis lost runs twice until its next heartbeat": evidence(runs=AGAIN, windows=(FLUSHED,)),
    "the model of a cancelled job stopped": cancelled(runs=(run(last=11.0, ended=False),)),
    "an attempt began just after the cancel": cancelled(runs=(run(start=11.0, last=12.0, ended=False),)),
    "an attempt began while no operator led": cancelled(LEADER, runs=COULD_HAVE_KNOWN),
    "an attempt began while its worker was stopped": cancelled(STOPPED, runs=COULD_HAVE_KNOWN),
    "a fault delayed the cancel": cancelled(LEADER, end=LATE_CANCEL, runs=()),
    "a copy was delivered": delivered(),
    # The superseded attempt never published its result.
    "a copy of a superseded attempt was there": delivered(earlier=(replace(COPY, at=15.0, digest="b"), COPY)),
    "the job was deleted before its files were polled": delivered(DELETED, outputs=()),
    "a later attempt reports the existing result": evidence(successes=2),
    "a cut-off worker published shortly after the cancel": cancelled(CUT, outputs=(output(at=25.0),)),
    "a leftover of a deleted job expires": evidence(DELETED, leftovers=(Leftover("state: claim:x", 60.0),)),
    "a job that exists has a record and files": evidence(leftovers=(Leftover("state: job:x"), Leftover("/jobs/x"))),
    "a leftover copy while an unsuccessful job has files": with_files(of_poison(".job-1.x-1.partial")),
    "an attempt failed by a harmful fault": tried_twice(windows=(STOPPED,)),
    "an attempt failed in a shared process": tried_twice(runs=(replace(FIRST, worker="threads"), run(2, 11.0, 17.0))),
    "the worker of the failed attempt is unknown": tried_twice(runs=(run(2),)),
    "a fault hit the worker": tried_twice(windows=(replace(STOPPED, victims=frozenset({"a"})),)),
    "a fault hit the model": tried_twice(windows=(replace(STOPPED, victims=frozenset({"101"})),)),
    "a fault hit the pool process": tried_twice(windows=(replace(STOPPED, victims=frozenset({"900"})),)),
    "poison failed within its backoff limit": evidence(job("poison"), POISONED, outputs=()),
    "an object disappears after its time to live": evidence(KEPT, running(6.0, 20), SUCCEEDED, gone_at=29.0),
    "an object ends and expires unseen": evidence(KEPT, running(6.0, 20), gone_at=29.0, unseen=True),
}

EXCUSED: Mapping[int, Rows] = {
    2: {
        "two runs of an attempt that Redis lost while no operator led": evidence(
            runs=MUCH_LATER, windows=(FLUSHED, replace(LEADER, begin=9.0, end=15.0))
        )
    },
    3: {
        "a cancel just before the end": evidence(confirmed(13.0), running(6.0, 20), SUCCEEDED),
        "a cancel while no operator led": evidence(
            confirmed(2.0), SUCCEEDED, windows=(replace(LEADER, begin=1.0, end=2.0),)
        ),
    },
    4: {"a message of a running job": with_messages(evidence(None, running(6.0, 20)))},
}

BREAKS: Mapping[int, Rows] = {
    1: {
        "it hangs": evidence(None, running(6.0, 20)),
        "it was reopened": evidence(None, SUCCEEDED, running(30.0, 100)),
        "it ended twice": evidence(None, SUCCEEDED, replace(CANCELLED, at=30.0, percent=100)),
        "conditions disagree": evidence(None, replace(SUCCEEDED, true_conditions=frozenset({"Finished"}))),
        "two conditions": evidence(None, replace(SUCCEEDED, true_conditions=frozenset({"Complete", "Failed"}))),
        "a cancel without a confirmation": evidence(None, CANCELLED, outputs=()),
        "a healthy job failed": evidence(None, FAILED, outputs=()),
        "a hopeless job succeeded": evidence(job("unusable"), SUCCEEDED),
        "the wrong reason": evidence(job("unusable"), replace(FAILED, reason="WorkerError"), outputs=()),
        "poison was retried too often": evidence(job("poison"), replace(FAILED, failures=4), outputs=()),
        "the reason differs from the phase": evidence(None, replace(SUCCEEDED, finished_reason="Failed")),
        "a condition shows an end before the phase": evidence(
            None, replace(running(6.0, 20), true_conditions=frozenset({"Finished"}))
        ),
        "a failure without a harmful fault": evidence(None, replace(SUCCEEDED, failures=1), windows=(LEADER,)),
        "two failures by one fault": tried_twice(failures=2, windows=(STOPPED,)),
        "the job is unknown": replace(evidence(), histories={}),
    },
    2: {
        "parallel attempts without a cut": in_parallel(),
        "parallel attempts and a fault that cuts nothing": in_parallel(LEADER),
        "a superseded attempt that noticed too late": in_parallel(STOPPED, runs=LATE),
        "a later cut after the run had to stop": in_parallel(
            STOPPED, replace(STOPPED, begin=19.5, end=19.9), runs=LATE
        ),
        "a cut that hit another attempt": in_parallel(replace(STOPPED, victims=frozenset({"b", "7"}))),
        "a cut that hit nothing": in_parallel(replace(STOPPED, hit=False)),
        "a flush and a later attempt in parallel": in_parallel(FLUSHED),
        "a cut that ended long before": evidence(
            runs=(run(1, 5.0, 52.0, ended=False), run(2, 50.0, 60.0)), outputs=(output(2),), windows=(STOPPED,)
        ),
        "two runs of an attempt without a flush": evidence(runs=AGAIN),
        "a flush that hit nothing": evidence(runs=AGAIN, windows=(replace(FLUSHED, hit=False),)),
        "two runs of an attempt after its heartbeat": evidence(
            runs=(run(1, 5.0, 15.5, ended=False, pid=7), run(1, 10.0, 16.0)), windows=(FLUSHED,)
        ),
        "two runs of an attempt long after a flush": evidence(runs=MUCH_LATER, windows=(FLUSHED,)),
        "two processes of an attempt": evidence(runs=(run(1, 5.0, 12.0, pid=7), run(1, 6.0, 15.0))),
        "the result was replaced": evidence(outputs=(output(), output(at=40.0, digest="b"))),
        "its maker is unknown": evidence(outputs=(output(2),)),
        "its maker never finished": evidence(runs=(run(ended=False),)),
        "it is not complete": evidence(outputs=(replace(output(), problem="model.glb is short"),)),
        "there is no result": evidence(outputs=()),
        "another one is there at the end": evidence(final=output(digest="b")),
        "it is damaged at the end": evidence(final=replace(output(), problem="model.glb is short")),
        "it is of a later attempt": evidence(runs=(run(2),), outputs=(output(2),)),
        "the status has another size": evidence(None, replace(SUCCEEDED, output_bytes=8)),
        "two attempts succeeded": evidence(successes=2, outputs=(output(), output(digest="b"))),
        "it came after the cancel": cancelled(outputs=(output(at=40.0),)),
        "it came long after the cut and the cancel": cancelled(CUT, outputs=(output(at=40.0),)),
        "the copy is not there": delivered(there=None),
        "the copy does not remain when the object is deleted": delivered(DELETED, there=None),
        "the copy does not remain when the object expires": delivered(there=None, gone_at=50.0),
        "the copy is damaged": delivered(there=replace(COPY, problem="model.glb is short")),
        "the copy is another result": delivered(there=replace(COPY, digest="b")),
        "the copy is another job's": delivered(there=replace(COPY, job_id="another")),
        "the copy was replaced and put back": delivered(earlier=(COPY, replace(COPY, at=30.0, digest="b"))),
        "the status has another URI": delivered(None, replace(REPORTED, output_uri="file:///jobs/x")),
    },
    3: {
        "it failed": cancelled(end=FAILED),
        "it succeeded long after": evidence(confirmed(2.0), SUCCEEDED),
        "a fault that does not block users": evidence(confirmed(2.0), SUCCEEDED, windows=(STANDBY,)),
        "a fault that came too late": evidence(confirmed(2.0), SUCCEEDED, windows=(LEADER,)),
        "a fault that blocked no user": evidence(
            confirmed(2.0), SUCCEEDED, windows=(replace(LEADER, begin=1.0, end=2.0, hit=False),)
        ),
        "it ran on": cancelled(runs=(run(last=30.0, ended=False),)),
        "another attempt began": cancelled(
            replace(STOPPED, end=40.0), runs=(run(last=11.0, ended=False), run(2, 25.0, 26.0, ended=False))
        ),
        "its files stayed": cancelled(leftovers=(Leftover("/jobs/x"),)),
        "it took too long": cancelled(end=LATE_CANCEL, runs=()),
        "a fault that hit nothing": cancelled(replace(LEADER, hit=False), end=LATE_CANCEL, runs=()),
        "an attempt began that could have known": cancelled(runs=COULD_HAVE_KNOWN),
        "an attempt began that could have known, and another was stopped": cancelled(
            replace(STOPPED, victims=frozenset({"b"})), runs=COULD_HAVE_KNOWN
        ),
        "its result was delivered": delivered(confirmed(), CANCELLED, outputs=()),
    },
    6: {
        "the job is unknown": replace(evidence(), histories={}),
        "it hangs": evidence(None, running(6.0, 20)),
        "it disappeared before its end": evidence(None, running(6.0, 20), gone_at=9.0),
    },
}

BREAKS_ALONE: Mapping[int, Rows] = {
    1: {
        "no fault": tried_twice(),
        "a harmless fault": tried_twice(windows=(LEADER,)),
        "a fault that hit another worker": tried_twice(windows=(replace(STOPPED, victims=frozenset({"b"})),)),
        "a fault that hit another child": tried_twice(windows=(replace(STOPPED, victims=frozenset({"901"})),)),
        "a fault that hit another model": tried_twice(windows=(replace(STOPPED, victims=frozenset({"102"})),)),
        "a fault that hit nothing": tried_twice(windows=(replace(STOPPED, hit=False),)),
        "a fault that was over long before": tried_twice(windows=(replace(STOPPED, begin=-30.0, end=-20.0),)),
        "a fault that came long after": tried_twice(windows=(replace(STOPPED, begin=18.0 + Slack().loss, end=40.0),)),
    },
    4: {
        "the flag of a withdrawn request": evidence(
            replace(job("withdraw"), requested_at=3.0, withdrawn_at=4.0), flags=(f"cancel_request:{UID}",)
        ),
        "the flag of a cancel without a request": evidence(flags=(f"cancel:{UID}",)),
        "a key of a deleted job": evidence(DELETED, leftovers=(Leftover("state: claim:x"),)),
        "files of a deleted job": evidence(DELETED, leftovers=(Leftover("/jobs/x"),)),
        "a key that expires too late": evidence(DELETED, leftovers=(Leftover("state: claim:x", RETENTION * 2),)),
        "a key without a TTL": evidence(DELETED, leftovers=(Leftover("state: cancel:x", 60.0, expires=False),)),
        "a heartbeat of a finished job": evidence(leftovers=(Leftover("state: alive:x", 2.0),)),
        "a message of a finished job": with_messages(evidence()),
        "a message of a deleted job": with_messages(evidence(DELETED, running(6.0, 20))),
        "a partial copy": delivered(hidden=(".job-1.x-1.partial",)),
        "a replaced copy": delivered(hidden=(".job-1.replaced-0",)),
        "a partial copy of a deleted job": delivered(
            replace(job(), deleted_at=9.0), running(6.0, 20), hidden=(".job-1.x-1.partial",)
        ),
        "a partial copy of a failed job": of_poison(".job-1.x-1.partial"),
    },
    5: {
        "falling progress": evidence(None, running(6.0, 60), running(7.0, 20), SUCCEEDED),
        "a falling attempt": evidence(None, running(6.0, 20, attempt=2), replace(SUCCEEDED, percent=100)),
        "a late status": evidence(lags=(Lag(UID, 9.0, 40.0),)),
        "a status that never came": evidence(lags=(Lag(UID, 9.0, None),)),
    },
    6: {
        "an object that disappears": evidence(None, running(6.0, 20), SUCCEEDED, gone_at=40.0),
        "an object that disappears early": evidence(KEPT, running(6.0, 20), SUCCEEDED, gone_at=23.0),
    },
}


@pytest.mark.parametrize("found", ALLOWED.values(), ids=ALLOWED)
def test_allowed_evidence_breaks_no_invariant(found: Evidence) -> None:
    assert problems(found) == []


@pytest.mark.parametrize(**numbered(EXCUSED))
def test_excused_evidence_does_not_break_the_invariant(invariant: int, found: Evidence) -> None:
    assert invariant not in broken(found)


@pytest.mark.parametrize(**numbered(BREAKS))
def test_forbidden_evidence_breaks_the_invariant(invariant: int, found: Evidence) -> None:
    assert invariant in broken(found)


@pytest.mark.parametrize(**numbered(BREAKS_ALONE))
def test_forbidden_evidence_breaks_only_the_invariant(invariant: int, found: Evidence) -> None:
    assert broken(found) == {invariant}


def test_every_invariant_examines_a_good_job_and_passes() -> None:
    verdicts = judge(evidence(lags=(Lag(UID, 9.0, 0.2),)))

    assert [verdict for verdict in verdicts if verdict.problem] == []
    assert {verdict.invariant for verdict in verdicts} == {1, 2, 4, 5, 6}
