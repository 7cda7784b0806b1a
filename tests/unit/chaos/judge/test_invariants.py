"""The judge finds each violation of an invariant, and no violation where the evidence or a fault excuses it.

A row names the evidence of one job. Tables by number give the invariant that a row is about.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from chaos.judge.evidence import DeliveredCopy, Evidence, Lag, Leftover, Output, Slack, Window
from chaos.judge.invariants import judge
from chaos.system.load import UserJob
from chaos.witnesses.journal import ModelRun
from chaos.witnesses.watcher import History, Snapshot

UID = "00000000-0000-0000-0000-000000000001"
RETENTION = 3600.0

SUCCEEDED = Snapshot(
    20.0,
    "Succeeded",
    1,
    100,
    frozenset({"Complete", "Finished"}),
    "",
    0,
    False,
    "Succeeded",
    output_bytes=9,
    completed_at=19.0,
)
CANCELLED = Snapshot(20.0, "Cancelled", 1, 40, frozenset({"Cancelled", "Finished"}), "", finished_reason="Cancelled")
FAILED = Snapshot(
    20.0, "Failed", 1, 40, frozenset({"Failed", "Finished"}), "NotEnoughOverlap", failures=1, finished_reason="Failed"
)


def job(scenario: str = "steady") -> UserJob:
    return UserJob(uid=UID, namespace="red", name="job-1", scenario=scenario, backoff_limit=2, created_at=1.0)


def running(at: float, percent: int, attempt: int = 1) -> Snapshot:
    return Snapshot(at, "Running", attempt, percent, frozenset(), "")


def run(
    attempt: int = 1, start: float = 5.0, last: float = 15.0, *, ended: bool = True, pid: int = 0, worker: str = "a"
) -> ModelRun:
    return ModelRun(UID, attempt, pid or 100 + attempt, start, last, ended, worker, task_pid=900)


def output(attempt: int = 1, at: float = 18.0, digest: str = "a") -> Output:
    return Output(at, attempt, digest, f"{UID}.{attempt}.{100 + attempt}", bytes=9)


def evidence(
    its_job: UserJob | None = None,
    *snapshots: Snapshot,
    runs: tuple[ModelRun, ...] = (run(),),
    outputs: tuple[Output, ...] = (output(),),
    final: Output | None = None,
    windows: tuple[Window, ...] = (),
    lags: tuple[Lag, ...] = (),
    leftovers: tuple[Leftover, ...] = (),
    flags: tuple[str, ...] = (),
    gone_at: float | None = None,
    unseen: bool = False,
    events: tuple[str, ...] = ("1-Waiting", "1-Fine", "1-Fine"),
) -> Evidence:
    subject = its_job or job()
    versions = list(snapshots or (running(6.0, 20), running(10.0, 60), SUCCEEDED))
    history = History(UID, "red", "job-1", versions, gone_at, unseen)
    return Evidence(
        jobs=[subject],
        histories={UID: history},
        runs={UID: runs},
        outputs={UID: outputs},
        final=dict.fromkeys([UID], last) if (last := final or next(reversed(outputs), None)) is not None else {},
        prefork=frozenset({"a"}),
        windows=windows,
        lags=lags,
        leftovers={UID: leftovers},
        flags={UID: flags},
        events={UID: (f"1-{versions[-1].phase}",) if versions[-1].phase in ("Failed", "Cancelled") else events},
        ended_at=100.0,
        retention_seconds=RETENTION,
    )


def problems(gathered: Evidence) -> list[tuple[int, str]]:
    return [(ruling.invariant, ruling.problem) for ruling in judge(gathered) if ruling.problem]


def broken(gathered: Evidence) -> set[int]:
    return {invariant for invariant, _ in problems(gathered)}


def confirmed(at: float = 10.0) -> UserJob:
    return replace(job("cancel"), requested_at=at - 1.0, confirmed_at=at)


STOPPED = Window("worker with its children: SIGSTOP, SIGCONT", begin=8.0, end=14.0, cuts=True, harms=True)
LEADER = Window("operator, leader: SIGKILL", begin=8.0, end=14.0, blocks_users=True, deposes=True)
OTHERS = Window("another installation on the same namespaces", begin=18.0, end=24.0, deposes=True, divides=True)
FLUSHED = Window("Redis: FLUSHALL", begin=8.0, end=9.0, blocks_users=True, forgets=True)
FIRST = run(1, 5.0, 8.0, ended=False)


def tried_twice(
    *,
    failures: int = 1,
    runs: tuple[ModelRun, ...] = (FIRST, run(2, 11.0, 17.0)),
    windows: tuple[Window, ...] = (),
    leg: int = 0,
) -> Evidence:
    end = replace(SUCCEEDED, attempt=2, failures=failures)
    seen = (running(6.0, 20), replace(running(7.0, 20), leg=leg))
    return evidence(None, *seen, end, runs=runs, outputs=(output(2),), windows=windows)


OLDER = Window("Redis: older data without a restart", begin=32.0, end=33.0, blocks_users=True, forgets=True)


def ran_again_after_deletion(*windows: Window, at: float = 40.0) -> Evidence:
    return evidence(outputs=(output(), output(at=at, digest="b")), gone_at=30.0, windows=windows)


PLACE = "file:///delivered/red/job-1"
REPORTED = replace(SUCCEEDED, output_uri=PLACE)
COPY = DeliveredCopy(17.0, UID, "a", uri=PLACE)
POISONED = replace(FAILED, failures=3, reason="WorkerLost")


def delivered(
    its_job: UserJob | None = None,
    *snapshots: Snapshot,
    there: DeliveredCopy | None = COPY,
    earlier: tuple[DeliveredCopy, ...] = (COPY,),
    hidden: tuple[str, ...] = (),
    outputs: tuple[Output, ...] = (output(),),
    gone_at: float | None = None,
    windows: tuple[Window, ...] = (),
) -> Evidence:
    wanted = replace(its_job or job(), output_uri=PLACE)
    snapshots = snapshots or (running(6.0, 20), REPORTED)
    gathered = evidence(wanted, *snapshots, outputs=outputs, gone_at=gone_at, windows=windows)
    gathered.delivered = {} if there is None else {UID: there}
    gathered.deliveries = {UID: earlier}
    gathered.hidden = {UID: hidden}
    return gathered


SECOND = (running(6.0, 20), replace(SUCCEEDED, attempt=2))
TOGETHER = (run(1, 5.0, 12.0, ended=False), run(2, 10.0, 18.0))
LATE = (run(1, 5.0, 20.0, ended=False), run(2, 10.0, 18.0))
AGAIN = (run(1, 5.0, 12.0, ended=False, pid=7), run(1, 10.0, 15.0))
MUCH_LATER = (run(1, 5.0, 28.0, ended=False, pid=7), run(1, 26.0, 30.0))
MOVED = (
    replace(run(1, 5.0, 9.0, ended=False, pid=7), stages=("first",)),
    replace(run(1, 10.0, 15.0, worker="c"), stages=("second", "third")),
)
DELETED = replace(job(), deleted_at=30.0)
LATE_CANCEL = replace(CANCELLED, at=31.0)
KEPT = replace(job(), ttl_seconds=10)
CUT = replace(STOPPED, begin=8.0, end=24.0)
SENT_AT_ONCE = (run(start=20.5, last=21.0, ended=False),)
COULD_HAVE_KNOWN = (run(start=15.5, last=16.0, ended=False),)


def in_parallel(*windows: Window, runs: tuple[ModelRun, ...] = TOGETHER) -> Evidence:
    return evidence(None, *SECOND, runs=runs, outputs=(output(2),), windows=windows)


def cancelled(
    *windows: Window,
    end: Snapshot = CANCELLED,
    runs: tuple[ModelRun, ...] = (run(),),
    outputs: tuple[Output, ...] = (),
    leftovers: tuple[Leftover, ...] = (),
) -> Evidence:
    """Return the evidence of a job whose cancel was confirmed at 10."""
    snapshots = (running(6.0, 20), end) if end is CANCELLED else (end,)
    return evidence(confirmed(), *snapshots, runs=runs, outputs=outputs, windows=windows, leftovers=leftovers)


def with_messages(gathered: Evidence) -> Evidence:
    gathered.messages = {UID: ["unacked"]}
    return gathered


def with_files(gathered: Evidence) -> Evidence:
    gathered.with_files = frozenset({UID})
    return gathered


def of_poison(*hidden: str) -> Evidence:
    return delivered(job("poison"), POISONED, outputs=(), hidden=hidden)


Rows = Mapping[str, Evidence]


def numbered(tables: Mapping[int, Rows]) -> dict[str, Any]:
    """Return the arguments of `parametrize` for (invariant, found)."""
    rows = [(number, name, gathered) for number, table in tables.items() for name, gathered in table.items()]
    return {
        "argnames": ("invariant", "gathered"),
        "argvalues": [(number, gathered) for number, _, gathered in rows],
        "ids": [f"{number}: {name}" for number, name, _ in rows],
    }


ALLOWED: Rows = {
    "a stopped worker noticed in five seconds": in_parallel(STOPPED),
    "a later cut begins before the run had to stop": in_parallel(
        STOPPED, replace(STOPPED, begin=18.0, end=19.0), runs=LATE
    ),
    "an attempt began just after the cancel": cancelled(runs=(run(start=11.0, last=12.0, ended=False),)),
    "an attempt began while no operator led": cancelled(LEADER, runs=COULD_HAVE_KNOWN),
    "a fault delayed the cancel": cancelled(LEADER, end=LATE_CANCEL, runs=()),
    "a copy was delivered": delivered(),
    "the job was deleted before its files were polled": delivered(DELETED, outputs=()),
    "a cut-off worker published shortly after the cancel": cancelled(CUT, outputs=(output(at=25.0),)),
    "a leftover of a deleted job expires": evidence(DELETED, leftovers=(Leftover("state: job:x", 60.0),)),
    "a leftover copy while an unsuccessful job has files": with_files(of_poison(".job-1.x-1.partial")),
    "an attempt failed by a harmful fault": tried_twice(windows=(STOPPED,)),
    "an attempt failed in a shared process": tried_twice(runs=(replace(FIRST, worker="threads"), run(2, 11.0, 17.0))),
    "a leg failed before its model began": tried_twice(leg=1),
    "a fault hit the worker": tried_twice(windows=(replace(STOPPED, victims=frozenset({"a"})),)),
    "each leg made its own stages": evidence(runs=MOVED),
    "a deleted job tells nothing": evidence(DELETED, events=()),
    "another installation sends no event of an end": evidence(windows=(OTHERS,), events=()),
    "an object disappears after its time to live": evidence(KEPT, running(6.0, 20), SUCCEEDED, gone_at=29.0),
    "an object ends and expires unseen": evidence(KEPT, running(6.0, 20), gone_at=29.0, unseen=True),
}

EXCUSED: Mapping[int, Rows] = {
    2: {
        "two runs of an attempt that Redis lost while no operator led": evidence(
            runs=MUCH_LATER, windows=(FLUSHED, replace(LEADER, begin=9.0, end=15.0))
        ),
        "an attempt that Redis lost made its stage again": evidence(
            runs=(MOVED[0], replace(MOVED[1], start=40.0, last=45.0, stages=("first",))),
            windows=(replace(FLUSHED, begin=6.0, end=7.0),),
        ),
        "a deleted job ran again from older data": ran_again_after_deletion(OLDER),
        "a deleted job ran again, and its copy stays": delivered(
            outputs=(output(), output(at=40.0, digest="b")),
            earlier=(COPY, replace(COPY, at=42.0, digest="b")),
            there=replace(COPY, at=42.0, digest="b"),
            gone_at=30.0,
            windows=(OLDER,),
        ),
    },
    3: {
        "a cancel just before the end": evidence(confirmed(13.0), running(6.0, 20), SUCCEEDED),
        "another installation cancelled while this one sent": cancelled(OTHERS, runs=SENT_AT_ONCE),
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
        "conditions disagree": evidence(None, replace(SUCCEEDED, true_conditions=frozenset({"Finished"}))),
        "a cancel without a confirmation": evidence(None, CANCELLED, outputs=()),
        "a healthy job failed": evidence(None, FAILED, outputs=()),
        "a hopeless job succeeded": evidence(job("unusable"), SUCCEEDED),
        "the wrong reason": evidence(job("unusable"), replace(FAILED, reason="WorkerError"), outputs=()),
        "poison was retried too often": evidence(job("poison"), replace(FAILED, failures=4), outputs=()),
        "the reason differs from the phase": evidence(None, replace(SUCCEEDED, finished_reason="Failed")),
        "a condition shows an end before the phase": evidence(
            None, replace(running(6.0, 20), true_conditions=frozenset({"Finished"}))
        ),
        "the job is unknown": replace(evidence(), histories={}),
    },
    2: {
        "parallel attempts without a cut": in_parallel(),
        "a superseded attempt that noticed too late": in_parallel(STOPPED, runs=LATE),
        "a later cut after the run had to stop": in_parallel(
            STOPPED, replace(STOPPED, begin=19.5, end=19.9), runs=LATE
        ),
        "a cut that hit another attempt": in_parallel(replace(STOPPED, victims=frozenset({"b", "7"}))),
        "a cut that hit nothing": in_parallel(replace(STOPPED, hit=False)),
        "a cut that ended long before": evidence(
            runs=(run(1, 5.0, 52.0, ended=False), run(2, 50.0, 60.0)), outputs=(output(2),), windows=(STOPPED,)
        ),
        "a flush that hit nothing": evidence(runs=AGAIN, windows=(replace(FLUSHED, hit=False),)),
        "two runs of an attempt long after a flush": evidence(runs=MUCH_LATER, windows=(FLUSHED,)),
        "two legs made the same stage": evidence(runs=(MOVED[0], replace(MOVED[1], stages=("first", "second")))),
        "two processes of an attempt": evidence(runs=(run(1, 5.0, 12.0, pid=7), run(1, 6.0, 15.0))),
        "the result was replaced": evidence(outputs=(output(), output(at=40.0, digest="b"))),
        "a deleted job's result was replaced": ran_again_after_deletion(),
        "its result was replaced before it was deleted": ran_again_after_deletion(OLDER, at=29.0),
        "older data that came before the deletion": ran_again_after_deletion(replace(OLDER, begin=26.0, end=29.0)),
        "older data that came after the second result": ran_again_after_deletion(replace(OLDER, begin=41.0, end=43.0)),
        "older data that hit nothing": ran_again_after_deletion(replace(OLDER, hit=False)),
        "its maker is unknown": evidence(outputs=(output(2),)),
        "its maker never finished": evidence(runs=(run(ended=False),)),
        "it is not complete": evidence(outputs=(replace(output(), problem="model.glb is short"),)),
        "there is no result": evidence(outputs=()),
        "another one is there at the end": evidence(final=output(digest="b")),
        "it came after the cancel": cancelled(outputs=(output(at=40.0),)),
        "it came long after the cut and the cancel": cancelled(CUT, outputs=(output(at=40.0),)),
        "the copy is not there": delivered(there=None),
        "the copy does not remain when the object expires": delivered(there=None, gone_at=50.0),
        "the copy is another job's": delivered(there=replace(COPY, job_id="another")),
        "the copy was replaced and put back": delivered(earlier=(COPY, replace(COPY, at=30.0, digest="b"))),
    },
    3: {
        "it failed": cancelled(end=FAILED),
        "a fault that came too late": evidence(confirmed(2.0), SUCCEEDED, windows=(LEADER,)),
        "it ran on": cancelled(runs=(run(last=30.0, ended=False),)),
        "another attempt began": cancelled(
            replace(STOPPED, end=40.0), runs=(run(last=11.0, ended=False), run(2, 25.0, 26.0, ended=False))
        ),
        "it began after the cancel": cancelled(runs=SENT_AT_ONCE),
        "it began after the other installation had gone": cancelled(replace(OTHERS, end=20.2), runs=SENT_AT_ONCE),
        "it began beside the other installation and ran on": cancelled(
            OTHERS, runs=(run(start=20.5, last=27.0, ended=False),)
        ),
        "its files stayed": cancelled(leftovers=(Leftover("/jobs/x"),)),
        "it took too long": cancelled(end=LATE_CANCEL, runs=()),
        "an attempt began that could have known": cancelled(runs=COULD_HAVE_KNOWN),
        "its result was delivered": delivered(confirmed(), CANCELLED, outputs=()),
    },
}

BREAKS_ALONE: Mapping[int, Rows] = {
    1: {
        "no fault": tried_twice(),
        "no fault in two legs": tried_twice(runs=(FIRST, run(1, 8.5, 9.0, ended=False), run(2, 11.0, 17.0)), leg=1),
        "a fault that hit another worker": tried_twice(windows=(replace(STOPPED, victims=frozenset({"b"})),)),
        "a fault that came long after": tried_twice(windows=(replace(STOPPED, begin=18.0 + Slack().loss, end=40.0),)),
    },
    4: {
        "the flag of a withdrawn request": evidence(
            replace(job("withdraw"), requested_at=3.0, withdrawn_at=4.0), flags=(f"cancel_request:{UID}",)
        ),
        "a key of a deleted job": evidence(DELETED, leftovers=(Leftover("state: job:x"),)),
        "a key that expires too late": evidence(DELETED, leftovers=(Leftover("state: job:x", RETENTION * 2),)),
        "a key without a TTL": evidence(DELETED, leftovers=(Leftover("state: cancel:x", 60.0, expires=False),)),
        "a heartbeat of a finished job": evidence(leftovers=(Leftover("state: alive:x", 2.0),)),
        "a message of a finished job": with_messages(evidence()),
        "a message of a deleted job": with_messages(evidence(DELETED, running(6.0, 20))),
        "a partial copy of a deleted job": delivered(
            replace(job(), deleted_at=9.0), running(6.0, 20), hidden=(".job-1.x-1.partial",)
        ),
    },
    5: {
        "a leg that went back": evidence(
            None, replace(running(6.0, 20), leg=1), replace(running(7.0, 20), phase="Queued"), SUCCEEDED
        ),
        "falling progress": evidence(None, running(6.0, 60), running(7.0, 20), SUCCEEDED),
        "a late status": evidence(lags=(Lag(UID, 9.0, 40.0),)),
        "a status that never came": evidence(lags=(Lag(UID, 9.0, None),)),
    },
    6: {
        "an object that disappears": evidence(None, running(6.0, 20), SUCCEEDED, gone_at=40.0),
        "an end without an event": evidence(events=("1-CancelRequested",)),
        "an event of another end": evidence(events=("1-Failed",)),
        "events of an end with two ids": evidence(events=("1-Fine", "2-Fine")),
        "an object that disappears early": evidence(KEPT, running(6.0, 20), SUCCEEDED, gone_at=23.0),
    },
}


@pytest.mark.parametrize("gathered", ALLOWED.values(), ids=ALLOWED)
def test_allowed_evidence_breaks_no_invariant(gathered: Evidence) -> None:
    assert problems(gathered) == []


@pytest.mark.parametrize(**numbered(EXCUSED))
def test_excused_evidence_does_not_break_the_invariant(invariant: int, gathered: Evidence) -> None:
    assert invariant not in broken(gathered)


@pytest.mark.parametrize(**numbered(BREAKS))
def test_forbidden_evidence_breaks_the_invariant(invariant: int, gathered: Evidence) -> None:
    assert invariant in broken(gathered)


@pytest.mark.parametrize(**numbered(BREAKS_ALONE))
def test_forbidden_evidence_breaks_only_the_invariant(invariant: int, gathered: Evidence) -> None:
    assert broken(gathered) == {invariant}


def test_every_invariant_examines_a_good_job_and_passes() -> None:
    rulings = judge(evidence(lags=(Lag(UID, 9.0, 0.2),)))

    assert [ruling for ruling in rulings if ruling.problem] == []
    assert {ruling.invariant for ruling in rulings} == {1, 2, 4, 5, 6}
