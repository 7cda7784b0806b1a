"""The judge of the fault runs can say no: for each invariant, evidence that breaks it, and good evidence that passes."""

from dataclasses import replace

import pytest

from chaos.evidence import Bounds, DeliveredCopy, Evidence, Lag, Leftover, Output, Slack, Window
from chaos.invariants import cancelling_seconds, confirmed_while_it_ran, judge
from chaos.journal import ModelRun
from chaos.load import UserJob
from chaos.watcher import History, Snapshot

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
    successes: int = 1,
    windows: tuple[Window, ...] = (),
    lags: tuple[Lag, ...] = (),
    leftovers: tuple[Leftover, ...] = (),
    flags: tuple[str, ...] = (),
    gone_at: float | None = None,
) -> Evidence:
    subject = its_job or job()
    history = History(UID, "red", "job-1", list(snapshots or (running(6.0, 20), running(10.0, 60), SUCCEEDED)), gone_at)
    return Evidence(
        jobs=[subject],
        histories={UID: history},
        runs={UID: runs},
        outputs={UID: outputs},
        final=dict.fromkeys([UID], last) if (last := final or next(reversed(outputs), None)) is not None else {},
        successes={UID: successes},
        prefork=frozenset({"a"}),
        windows=windows,
        lags=lags,
        leftovers={UID: leftovers},
        flags={UID: flags},
        ended_at=100.0,
        retention_seconds=RETENTION,
    )


def problems(found: Evidence) -> list[tuple[int, str]]:
    return [(verdict.invariant, verdict.problem) for verdict in judge(found) if verdict.problem]


def broken(found: Evidence) -> set[int]:
    return {invariant for invariant, _ in problems(found)}


def confirmed(at: float = 10.0) -> UserJob:
    return replace(job("cancel"), requested_at=at - 1.0, confirmed_at=at)


STOPPED = Window("worker with its children: SIGSTOP, SIGCONT", begin=8.0, end=14.0, cuts=True, harms=True)
LEADER = Window("operator, leader: SIGKILL", begin=8.0, end=14.0, blocks_users=True, deposes=True)
PAUSED = Window("Redis: paused", begin=8.0, end=14.0, blocks_users=True)
STANDBY = Window("operator, standby: SIGKILL", begin=0.0, end=100.0)
FLUSHED = Window("Redis: FLUSHALL", begin=8.0, end=9.0, blocks_users=True, forgets=True)
FIRST = run(1, 5.0, 8.0, ended=False)


def tried_twice(
    *, failures: int = 1, runs: tuple[ModelRun, ...] = (FIRST, run(2, 11.0, 17.0)), windows: tuple[Window, ...] = ()
) -> Evidence:
    end = replace(SUCCEEDED, attempt=2, failures=failures)
    return evidence(None, running(6.0, 20), end, runs=runs, outputs=(output(2),), windows=windows)


PLACE = "file:///delivered/red/job-1"
REPORTED = replace(SUCCEEDED, output_uri=PLACE)
COPY = DeliveredCopy(17.0, UID, "a")
POISONED = replace(FAILED, failures=3, reason="WorkerLost")


def delivered(
    its_job: UserJob | None = None,
    *snapshots: Snapshot,
    there: DeliveredCopy | None = COPY,
    earlier: tuple[DeliveredCopy, ...] = (COPY,),
    hidden: tuple[str, ...] = (),
    outputs: tuple[Output, ...] = (output(),),
    gone_at: float | None = None,
) -> Evidence:
    wanted = replace(its_job or job(), output_uri=PLACE)
    found = evidence(wanted, *(snapshots or (running(6.0, 20), REPORTED)), outputs=outputs, gone_at=gone_at)
    found.delivered = {} if there is None else {UID: there}
    found.deliveries = {UID: earlier}
    found.hidden = {UID: hidden}
    return found


def test_good_job_passes_and_every_invariant_examined_it() -> None:
    verdicts = judge(evidence(lags=(Lag(UID, 9.0, 0.2),)))

    assert [verdict for verdict in verdicts if verdict.problem] == []
    assert {verdict.invariant for verdict in verdicts} == {1, 2, 4, 5, 6}


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("it hangs", evidence(None, running(6.0, 20))),
        ("it was reopened", evidence(None, SUCCEEDED, running(30.0, 100))),
        ("it ended twice", evidence(None, SUCCEEDED, replace(CANCELLED, at=30.0, percent=100))),
        ("conditions disagree", evidence(None, replace(SUCCEEDED, true_conditions=frozenset({"Finished"})))),
        ("two conditions", evidence(None, replace(SUCCEEDED, true_conditions=frozenset({"Complete", "Failed"})))),
        ("a cancel without a confirmation", evidence(None, CANCELLED, outputs=())),
        ("a healthy job failed", evidence(None, FAILED, outputs=())),
        ("a hopeless job succeeded", evidence(job("unusable"), SUCCEEDED)),
        ("the wrong reason", evidence(job("unusable"), replace(FAILED, reason="WorkerError"), outputs=())),
        ("poison was retried too often", evidence(job("poison"), replace(FAILED, failures=4), outputs=())),
        ("the reason says otherwise", evidence(None, replace(SUCCEEDED, finished_reason="Failed"))),
        ("over before its end", evidence(None, replace(running(6.0, 20), true_conditions=frozenset({"Finished"})))),
        ("another's fault", evidence(None, replace(SUCCEEDED, failures=1), windows=(LEADER,))),
    ],
)
def test_missing_double_or_wrong_end_breaks_invariant_1(what: str, found: Evidence) -> None:
    assert 1 in broken(found), what


def test_attempt_may_fail_by_a_harmful_fault_or_in_a_shared_process() -> None:
    assert problems(tried_twice(windows=(STOPPED,))) == []
    assert problems(tried_twice(runs=(replace(FIRST, worker="threads"), run(2, 11.0, 17.0)))) == []
    assert problems(tried_twice(runs=(run(2),))) == []  # the worker of the first is unknown


@pytest.mark.parametrize(
    ("what", "windows"),
    [
        ("no fault", ()),
        ("a harmless fault", (LEADER,)),
        ("a fault that hit another worker", (replace(STOPPED, victims=frozenset({"b"})),)),
        ("a fault that hit another child", (replace(STOPPED, victims=frozenset({"901"})),)),
        ("a fault that hit another model", (replace(STOPPED, victims=frozenset({"102"})),)),
        ("a fault that hit nothing", (replace(STOPPED, hit=False),)),
        ("a fault that was over long before", (replace(STOPPED, begin=-30.0, end=-20.0),)),
        ("a fault that came long after", (replace(STOPPED, begin=18.0 + Slack().loss, end=40.0),)),
    ],
)
def test_failed_attempt_without_a_fault_breaks_invariant_1(what: str, windows: tuple[Window, ...]) -> None:
    assert broken(tried_twice(windows=windows)) == {1}, what


@pytest.mark.parametrize("victim", ["a", "101", "900"])
def test_fault_may_hit_a_worker_its_pool_process_or_a_model(victim: str) -> None:
    assert problems(tried_twice(windows=(replace(STOPPED, victims=frozenset({victim})),))) == []


def test_each_failure_needs_an_attempt_that_a_fault_harmed() -> None:
    assert 1 in broken(tried_twice(failures=2, windows=(STOPPED,)))


def test_patience_multiplies_bounds_but_not_slack() -> None:
    assert Bounds().times(4.0).superseded == 4 * Bounds().superseded
    assert Slack().plus(6.0).cause == Slack().cause + 6.0
    assert not {"cause", "blocked", "loss", "deposed", "forgotten"} & set(Bounds.__slots__)


def test_poison_job_that_fails_within_backoff_limit_passes() -> None:
    assert problems(evidence(job("poison"), replace(FAILED, failures=3, reason="WorkerLost"), outputs=())) == []


SECOND = (running(6.0, 20), replace(SUCCEEDED, attempt=2))
TOGETHER = (run(1, 5.0, 12.0, ended=False), run(2, 10.0, 18.0))


def test_attempts_that_run_together_without_a_cut_break_invariant_2() -> None:
    assert 2 in broken(evidence(None, *SECOND, runs=TOGETHER, outputs=(output(2),)))
    assert 2 in broken(evidence(None, *SECOND, runs=TOGETHER, outputs=(output(2),), windows=(LEADER,)))


def test_superseded_attempt_of_a_stopped_worker_has_five_seconds_to_notice() -> None:
    late = (run(1, 5.0, 20.0, ended=False), run(2, 10.0, 18.0))

    assert problems(evidence(None, *SECOND, runs=TOGETHER, outputs=(output(2),), windows=(STOPPED,))) == []
    assert 2 in broken(evidence(None, *SECOND, runs=late, outputs=(output(2),), windows=(STOPPED,)))
    # A later cut excuses nothing, unless it begins before the run had to stop.
    much_later = replace(STOPPED, begin=19.5, end=19.9)
    soon = replace(STOPPED, begin=18.0, end=19.0)
    assert 2 in broken(evidence(None, *SECOND, runs=late, outputs=(output(2),), windows=(STOPPED, much_later)))
    assert problems(evidence(None, *SECOND, runs=late, outputs=(output(2),), windows=(STOPPED, soon))) == []


def test_cut_excuses_only_the_attempts_that_it_hit() -> None:
    of_the_worker = replace(STOPPED, victims=frozenset({"a"}))
    of_the_model = replace(STOPPED, victims=frozenset({"101", "100"}))
    of_another = replace(STOPPED, victims=frozenset({"b", "7"}))

    assert problems(evidence(None, *SECOND, runs=TOGETHER, outputs=(output(2),), windows=(of_the_worker,))) == []
    assert problems(evidence(None, *SECOND, runs=TOGETHER, outputs=(output(2),), windows=(of_the_model,))) == []
    assert 2 in broken(evidence(None, *SECOND, runs=TOGETHER, outputs=(output(2),), windows=(of_another,)))


def test_fault_that_hit_nothing_excuses_nothing() -> None:
    cut = replace(STOPPED, hit=False)
    blocking = replace(LEADER, begin=1.0, end=2.0, hit=False)

    assert 2 in broken(evidence(None, *SECOND, runs=TOGETHER, outputs=(output(2),), windows=(cut,)))
    assert 3 in broken(evidence(confirmed(2.0), SUCCEEDED, windows=(blocking,)))
    assert 2 in broken(evidence(runs=AGAIN, windows=(replace(FLUSHED, hit=False),)))


AGAIN = (run(1, 5.0, 12.0, ended=False, pid=7), run(1, 10.0, 15.0))


def test_attempt_lost_by_redis_may_run_twice_until_its_next_heartbeat() -> None:
    late = (run(1, 5.0, 15.5, ended=False, pid=7), run(1, 10.0, 16.0))
    much_later = (run(1, 5.0, 28.0, ended=False, pid=7), run(1, 26.0, 30.0))
    led_by_none = replace(LEADER, begin=9.0, end=15.0)

    assert problems(evidence(runs=AGAIN, windows=(FLUSHED,))) == []
    assert 2 in broken(evidence(runs=AGAIN))
    assert 2 in broken(evidence(runs=late, windows=(FLUSHED,)))
    assert 2 in broken(evidence(runs=much_later, windows=(FLUSHED,)))
    assert 2 not in broken(evidence(runs=much_later, windows=(FLUSHED, led_by_none)))


def test_lost_redis_data_does_not_excuse_a_later_attempt_in_parallel() -> None:
    assert 2 in broken(evidence(None, *SECOND, runs=TOGETHER, outputs=(output(2),), windows=(FLUSHED,)))


def test_cut_that_ended_long_before_excuses_nothing() -> None:
    runs = (run(1, 5.0, 52.0, ended=False), run(2, 50.0, 60.0))

    assert 2 in broken(evidence(runs=runs, outputs=(output(2),), windows=(STOPPED,)))


def test_second_process_of_the_same_attempt_breaks_invariant_2() -> None:
    assert 2 in broken(evidence(runs=(run(1, 5.0, 12.0, pid=7), run(1, 6.0, 15.0))))


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("the result was replaced", evidence(outputs=(output(), output(at=40.0, digest="b")))),
        ("its maker is unknown", evidence(outputs=(output(2),))),
        ("its maker never finished", evidence(runs=(run(ended=False),))),
        ("it is not complete", evidence(outputs=(replace(output(), problem="model.glb is short"),))),
        ("there is no result", evidence(outputs=())),
        ("another one is there at the end", evidence(final=output(digest="b"))),
        ("it is damaged at the end", evidence(final=replace(output(), problem="model.glb is short"))),
        ("it is of a later attempt", evidence(runs=(run(2),), outputs=(output(2),))),
        ("the status has another size", evidence(None, replace(SUCCEEDED, output_bytes=8))),
        ("two attempts succeeded", evidence(successes=2, outputs=(output(), output(digest="b")))),
        ("it came after the cancel", evidence(confirmed(), running(6.0, 20), CANCELLED, outputs=(output(at=40.0),))),
    ],
)
def test_result_other_than_the_reported_one_breaks_invariant_2(what: str, found: Evidence) -> None:
    assert 2 in broken(found), what


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("it is not there", delivered(there=None)),
        ("it does not stay when the object is deleted", delivered(replace(job(), deleted_at=30.0), there=None)),
        ("it does not stay when the object's time is over", delivered(there=None, gone_at=50.0)),
        ("it is damaged", delivered(there=replace(COPY, problem="model.glb is short"))),
        ("it is another result", delivered(there=replace(COPY, digest="b"))),
        ("it is another job's", delivered(there=replace(COPY, job_id="another"))),
        ("it was replaced and put back", delivered(earlier=(COPY, replace(COPY, at=30.0, digest="b")))),
        ("the status says another place", delivered(None, replace(REPORTED, output_uri="file:///jobs/x"))),
    ],
)
def test_copy_that_is_not_the_reported_result_breaks_invariant_2(what: str, found: Evidence) -> None:
    assert 2 in broken(found), what


def test_delivered_copy_passes() -> None:
    superseded = replace(COPY, at=15.0, digest="b")  # of an attempt that never published its result

    assert problems(delivered()) == []
    assert problems(delivered(earlier=(superseded, COPY))) == []
    assert (
        problems(delivered(replace(job(), deleted_at=30.0), outputs=())) == []
    )  # deleted before its files were polled


def test_later_attempt_may_report_the_existing_result() -> None:
    assert problems(evidence(successes=2)) == []


def test_result_of_a_cut_off_worker_may_exist_shortly_after_the_cancel() -> None:
    cut = replace(STOPPED, begin=8.0, end=24.0)

    def found(at: float) -> Evidence:
        return evidence(confirmed(), running(6.0, 20), CANCELLED, outputs=(output(at=at),), windows=(cut,))

    assert problems(found(25.0)) == []
    assert 2 in broken(found(40.0))


def test_cancelled_job_whose_model_stopped_passes() -> None:
    its_run = run(last=11.0, ended=False)

    assert problems(evidence(confirmed(), running(6.0, 20), CANCELLED, runs=(its_run,), outputs=())) == []


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("it failed", evidence(confirmed(), FAILED, outputs=())),
        ("it succeeded long after", evidence(confirmed(2.0), SUCCEEDED)),
        ("a fault that does not block users", evidence(confirmed(2.0), SUCCEEDED, windows=(STANDBY,))),
        ("a fault that came too late", evidence(confirmed(2.0), SUCCEEDED, windows=(LEADER,))),
        ("it ran on", evidence(confirmed(), CANCELLED, runs=(run(last=30.0, ended=False),), outputs=())),
        (
            "another attempt began",
            evidence(
                confirmed(),
                CANCELLED,
                runs=(run(last=11.0, ended=False), run(2, 25.0, 26.0, ended=False)),
                outputs=(),
                windows=(replace(STOPPED, end=40.0),),
            ),
        ),
        ("its files stayed", evidence(confirmed(), CANCELLED, outputs=(), leftovers=(Leftover("/jobs/x"),))),
        ("it took too long", evidence(confirmed(), replace(CANCELLED, at=31.0), outputs=(), runs=())),
        (
            "a fault that hit nothing",
            evidence(
                confirmed(), replace(CANCELLED, at=31.0), outputs=(), runs=(), windows=(replace(LEADER, hit=False),)
            ),
        ),
        (
            "an attempt began that could have known",
            evidence(confirmed(), CANCELLED, runs=(run(start=15.5, last=16.0, ended=False),), outputs=()),
        ),
        (
            "an attempt began that could have known, and another was stopped",
            evidence(
                confirmed(),
                CANCELLED,
                runs=(run(start=15.5, last=16.0, ended=False),),
                outputs=(),
                windows=(replace(STOPPED, victims=frozenset({"b"})),),
            ),
        ),
        ("its result was delivered", delivered(confirmed(), CANCELLED, outputs=())),
    ],
)
def test_confirmed_cancel_without_effect_breaks_invariant_3(what: str, found: Evidence) -> None:
    assert 3 in broken(found), what


def test_confirmed_cancel_has_its_bound_plus_the_time_of_faults() -> None:
    at_once = replace(run(start=11.0, last=12.0, ended=False))
    later = replace(run(start=15.5, last=16.0, ended=False))
    late = replace(CANCELLED, at=31.0)

    assert problems(evidence(confirmed(), CANCELLED, runs=(at_once,), outputs=())) == []
    assert problems(evidence(confirmed(), CANCELLED, runs=(later,), outputs=(), windows=(LEADER,))) == []
    assert problems(evidence(confirmed(), CANCELLED, runs=(later,), outputs=(), windows=(STOPPED,))) == []
    assert problems(evidence(confirmed(), late, runs=(), outputs=(), windows=(LEADER,))) == []
    assert cancelling_seconds(evidence(confirmed(), late, runs=(), outputs=())) == [21.0]
    assert cancelling_seconds(evidence(confirmed(), late, runs=(), outputs=(), windows=(LEADER,))) == [2.0]
    assert cancelling_seconds(evidence(confirmed(), late, runs=(), outputs=(), windows=(PAUSED,))) == [9.0]


def test_job_that_ended_before_the_cancel_could_be_seen_may_succeed() -> None:
    assert 3 not in broken(evidence(confirmed(13.0), running(6.0, 20), SUCCEEDED))
    assert 3 not in broken(evidence(confirmed(2.0), SUCCEEDED, windows=(replace(LEADER, begin=1.0, end=2.0),)))


def test_unwanted_cancel_flag_breaks_invariant_4() -> None:
    withdrawn = replace(job("withdraw"), requested_at=3.0, withdrawn_at=4.0)

    assert broken(evidence(withdrawn, flags=(f"cancel_request:{UID}",))) == {4}
    assert broken(evidence(flags=(f"cancel:{UID}",))) == {4}


def test_permanent_leftover_of_a_deleted_job_breaks_invariant_4() -> None:
    deleted = replace(job(), deleted_at=30.0)

    assert broken(evidence(deleted, leftovers=(Leftover("state: claim:x"),))) == {4}
    assert broken(evidence(deleted, leftovers=(Leftover("/jobs/x"),))) == {4}
    assert broken(evidence(deleted, leftovers=(Leftover("state: claim:x", RETENTION * 2),))) == {4}
    assert broken(evidence(deleted, leftovers=(Leftover("state: cancel:x", 60.0, expires=False),))) == {4}
    assert problems(evidence(deleted, leftovers=(Leftover("state: claim:x", 60.0),))) == []
    assert problems(evidence(job(), leftovers=(Leftover("state: job:x"), Leftover("/jobs/x")))) == []


@pytest.mark.parametrize(
    "snapshots",
    [
        (running(6.0, 60), running(7.0, 20), SUCCEEDED),
        (running(6.0, 20, attempt=2), replace(SUCCEEDED, percent=100)),
    ],
)
def test_falling_progress_or_attempt_breaks_invariant_5(snapshots: tuple[Snapshot, ...]) -> None:
    assert broken(evidence(None, *snapshots)) == {5}


def test_message_of_a_finished_job_breaks_invariant_4() -> None:
    assert broken(with_messages(evidence())) == {4}
    assert broken(with_messages(evidence(replace(job(), deleted_at=30.0), running(6.0, 20)))) == {4}
    assert 4 not in broken(with_messages(evidence(None, running(6.0, 20))))


def with_messages(found: Evidence) -> Evidence:
    found.messages = {UID: ["unacked"]}
    return found


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("a partial copy", delivered(hidden=(".job-1.x-1.partial",))),
        ("a replaced copy", delivered(hidden=(".job-1.replaced-0",))),
        (
            "of a deleted job",
            delivered(replace(job(), deleted_at=9.0), running(6.0, 20), hidden=(".job-1.x-1.partial",)),
        ),
        ("of a failed job", delivered(job("poison"), POISONED, outputs=(), hidden=(".job-1.x-1.partial",))),
    ],
)
def test_leftover_beside_a_delivered_copy_breaks_invariant_4(what: str, found: Evidence) -> None:
    assert broken(found) == {4}, what


def test_leftover_beside_a_copy_is_accepted_while_an_unsuccessful_job_has_files() -> None:
    found = delivered(job("poison"), POISONED, outputs=(), hidden=(".job-1.x-1.partial",))
    found.with_files = frozenset({UID})

    assert problems(found) == []


def test_late_status_breaks_invariant_5() -> None:
    assert broken(evidence(lags=(Lag(UID, 9.0, 40.0),))) == {5}
    assert broken(evidence(lags=(Lag(UID, 9.0, None),))) == {5}


def test_job_without_a_status_breaks_invariant_6() -> None:
    forgotten = evidence()
    forgotten.histories = {}

    assert {1, 6} <= broken(forgotten)
    assert 6 in broken(evidence(None, running(6.0, 20)))


def test_patience_gives_a_busy_machine_more_time() -> None:
    late = evidence(None, *SECOND, runs=(run(1, 5.0, 20.0, ended=False), run(2, 10.0, 18.0)), outputs=(output(2),))
    late.windows = (STOPPED,)

    assert 2 in broken(late)
    late.bounds = Bounds().times(2.0)
    assert problems(late) == []


def test_heartbeat_of_a_finished_job_breaks_invariant_4() -> None:
    assert broken(evidence(leftovers=(Leftover("state: alive:x", 2.0),))) == {4}


def test_object_that_disappears_too_early_breaks_invariant_6() -> None:
    kept = replace(job(), ttl_seconds=10)

    assert 6 in broken(evidence(None, running(6.0, 20), gone_at=9.0))
    assert broken(evidence(None, running(6.0, 20), SUCCEEDED, gone_at=40.0)) == {6}
    assert broken(evidence(kept, running(6.0, 20), SUCCEEDED, gone_at=23.0)) == {6}
    assert problems(evidence(kept, running(6.0, 20), SUCCEEDED, gone_at=29.0)) == []


def test_cancels_confirmed_while_a_model_ran_are_counted() -> None:
    assert confirmed_while_it_ran(evidence(confirmed(10.0), CANCELLED, outputs=())) == (1, 0)
    assert confirmed_while_it_ran(evidence(confirmed(14.0), SUCCEEDED)) == (1, 1)
    assert confirmed_while_it_ran(evidence(confirmed(1.0), SUCCEEDED)) == (0, 0)
