"""The judge of the fault runs must be able to say no: for each invariant, evidence that breaks it, beside good evidence."""

from dataclasses import replace

import pytest

from chaos.evidence import Bounds, Delivery, Evidence, Lag, Output, Slack, Trace, Window
from chaos.invariants import cancelling_seconds, confirmed_while_it_ran, judge
from chaos.journal import ModelRun
from chaos.load import Job
from chaos.watcher import History, Look

UID = "00000000-0000-0000-0000-000000000001"
RETENTION = 3600.0

SUCCEEDED = Look(
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
CANCELLED = Look(20.0, "Cancelled", 1, 40, frozenset({"Cancelled", "Finished"}), "", finished_reason="Cancelled")
FAILED = Look(
    20.0, "Failed", 1, 40, frozenset({"Failed", "Finished"}), "NotEnoughOverlap", failures=1, finished_reason="Failed"
)


def job(scenario: str = "steady") -> Job:
    return Job(uid=UID, namespace="red", name="job-1", scenario=scenario, backoff_limit=2, created_at=1.0)


def running(at: float, percent: int, attempt: int = 1) -> Look:
    return Look(at, "Running", attempt, percent, frozenset(), "")


def run(
    attempt: int = 1, start: float = 5.0, last: float = 15.0, *, ended: bool = True, pid: int = 0, worker: str = "a"
) -> ModelRun:
    return ModelRun(UID, attempt, pid or 100 + attempt, start, last, ended, worker, task_pid=900)


def output(attempt: int = 1, at: float = 18.0, digest: str = "a") -> Output:
    return Output(at, attempt, digest, f"{UID}.{attempt}.{100 + attempt}", bytes=9)


def evidence(
    its_job: Job | None = None,
    *looks: Look,
    runs: tuple[ModelRun, ...] = (run(),),
    outputs: tuple[Output, ...] = (output(),),
    final: Output | None = None,
    successes: int = 1,
    windows: tuple[Window, ...] = (),
    lags: tuple[Lag, ...] = (),
    traces: tuple[Trace, ...] = (),
    flags: tuple[str, ...] = (),
    gone_at: float | None = None,
) -> Evidence:
    subject = its_job or job()
    history = History(UID, "red", "job-1", list(looks or (running(6.0, 20), running(10.0, 60), SUCCEEDED)), gone_at)
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
        traces={UID: traces},
        flags={UID: flags},
        ended_at=100.0,
        retention_seconds=RETENTION,
    )


def problems(found: Evidence) -> list[tuple[int, str]]:
    return [(verdict.invariant, verdict.problem) for verdict in judge(found) if verdict.problem]


def broken(found: Evidence) -> set[int]:
    return {invariant for invariant, _ in problems(found)}


def confirmed(at: float = 10.0) -> Job:
    return replace(job("cancel"), requested_at=at - 1.0, confirmed_at=at)


STOPPED = Window("worker with its children: SIGSTOP, SIGCONT", begin=8.0, end=14.0, cuts=True, harms=True)
LEADER = Window("operator, leader: SIGKILL", begin=8.0, end=14.0, deafens=True, deposes=True)
PAUSED = Window("Redis: paused", begin=8.0, end=14.0, deafens=True)
STANDBY = Window("operator, standby: SIGKILL", begin=0.0, end=100.0)
FLUSHED = Window("Redis: FLUSHALL", begin=8.0, end=9.0, deafens=True, forgets=True)
FIRST = run(1, 5.0, 8.0, ended=False)


def tried_twice(
    *, failures: int = 1, runs: tuple[ModelRun, ...] = (FIRST, run(2, 11.0, 17.0)), windows: tuple[Window, ...] = ()
) -> Evidence:
    end = replace(SUCCEEDED, attempt=2, failures=failures)
    return evidence(None, running(6.0, 20), end, runs=runs, outputs=(output(2),), windows=windows)


PLACE = "file:///delivered/red/job-1"
REPORTED = replace(SUCCEEDED, output_uri=PLACE)
COPY = Delivery(17.0, UID, "a")
POISONED = replace(FAILED, failures=3, reason="WorkerLost")


def delivered(
    its_job: Job | None = None,
    *looks: Look,
    there: Delivery | None = COPY,
    earlier: tuple[Delivery, ...] = (COPY,),
    hidden: tuple[str, ...] = (),
    outputs: tuple[Output, ...] = (output(),),
    gone_at: float | None = None,
) -> Evidence:
    wanted = replace(its_job or job(), output_uri=PLACE)
    found = evidence(wanted, *(looks or (running(6.0, 20), REPORTED)), outputs=outputs, gone_at=gone_at)
    found.delivered = {} if there is None else {UID: there}
    found.deliveries = {UID: earlier}
    found.hidden = {UID: hidden}
    return found


def test_a_good_job_breaks_nothing_and_every_invariant_looked_at_it() -> None:
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
        ("nobody cancelled it", evidence(None, CANCELLED, outputs=())),
        ("an innocent job failed", evidence(None, FAILED, outputs=())),
        ("a hopeless job succeeded", evidence(job("unusable"), SUCCEEDED)),
        ("the wrong reason", evidence(job("unusable"), replace(FAILED, reason="WorkerError"), outputs=())),
        ("poison was tried too often", evidence(job("poison"), replace(FAILED, failures=4), outputs=())),
        ("the reason says otherwise", evidence(None, replace(SUCCEEDED, finished_reason="Failed"))),
        ("over before its end", evidence(None, replace(running(6.0, 20), true_conditions=frozenset({"Finished"})))),
        ("another's fault", evidence(None, replace(SUCCEEDED, failures=1), windows=(LEADER,))),
    ],
)
def test_an_end_that_is_none_or_not_one_or_not_the_right_one_breaks_the_first(what: str, found: Evidence) -> None:
    assert 1 in broken(found), what


def test_an_attempt_may_fail_by_a_fault_that_harms_or_beside_others_in_one_process() -> None:
    assert problems(tried_twice(windows=(STOPPED,))) == []
    assert problems(tried_twice(runs=(replace(FIRST, worker="threads"), run(2, 11.0, 17.0)))) == []
    assert problems(tried_twice(runs=(run(2),))) == []  # where the first was, nobody knows


@pytest.mark.parametrize(
    ("what", "windows"),
    [
        ("nothing was broken", ()),
        ("a fault that harms nobody", (LEADER,)),
        ("a fault that hit another worker", (replace(STOPPED, victims=frozenset({"b"})),)),
        ("a fault that hit another child", (replace(STOPPED, victims=frozenset({"901"})),)),
        ("a fault that hit another model", (replace(STOPPED, victims=frozenset({"102"})),)),
        ("a fault that found nothing to hurt", (replace(STOPPED, hit=False),)),
        ("a fault that was over long before", (replace(STOPPED, begin=-30.0, end=-20.0),)),
        ("a fault that came long after", (replace(STOPPED, begin=18.0 + Slack().loss, end=40.0),)),
    ],
)
def test_an_attempt_that_fails_though_no_fault_had_hit_it_breaks_the_first(
    what: str, windows: tuple[Window, ...]
) -> None:
    assert broken(tried_twice(windows=windows)) == {1}, what


@pytest.mark.parametrize("victim", ["a", "101", "900"])
def test_a_fault_hits_a_worker_or_a_process_of_it_or_a_model(victim: str) -> None:
    assert problems(tried_twice(windows=(replace(STOPPED, victims=frozenset({victim})),))) == []


def test_each_failure_needs_an_attempt_that_was_harmed() -> None:
    assert 1 in broken(tried_twice(failures=2, windows=(STOPPED,)))


def test_patience_prolongs_bounds_and_no_excuse() -> None:
    assert Bounds().times(4.0).overtaken == 4 * Bounds().overtaken
    assert Slack().plus(6.0).cause == Slack().cause + 6.0
    assert not {"cause", "deaf", "loss", "deposed", "forgotten"} & set(Bounds.__slots__)


def test_poison_that_fails_within_its_limit_is_as_it_should_be() -> None:
    assert problems(evidence(job("poison"), replace(FAILED, failures=3, reason="WorkerLost"), outputs=())) == []


SECOND = (running(6.0, 20), replace(SUCCEEDED, attempt=2))
TOGETHER = (run(1, 5.0, 12.0, ended=False), run(2, 10.0, 18.0))


def test_attempts_that_run_together_without_a_cut_break_the_second() -> None:
    assert 2 in broken(evidence(None, *SECOND, runs=TOGETHER, outputs=(output(2),)))
    assert 2 in broken(evidence(None, *SECOND, runs=TOGETHER, outputs=(output(2),), windows=(LEADER,)))


def test_an_attempt_whose_worker_was_stopped_may_be_overtaken_and_has_five_seconds_to_notice() -> None:
    late = (run(1, 5.0, 20.0, ended=False), run(2, 10.0, 18.0))

    assert problems(evidence(None, *SECOND, runs=TOGETHER, outputs=(output(2),), windows=(STOPPED,))) == []
    assert 2 in broken(evidence(None, *SECOND, runs=late, outputs=(output(2),), windows=(STOPPED,)))
    # What is cut off later excuses nothing, unless it comes before it had to stop.
    much_later = replace(STOPPED, begin=19.5, end=19.9)
    soon = replace(STOPPED, begin=18.0, end=19.0)
    assert 2 in broken(evidence(None, *SECOND, runs=late, outputs=(output(2),), windows=(STOPPED, much_later)))
    assert problems(evidence(None, *SECOND, runs=late, outputs=(output(2),), windows=(STOPPED, soon))) == []


def test_only_those_whom_a_cut_hits_may_be_overtaken() -> None:
    of_the_worker = replace(STOPPED, victims=frozenset({"a"}))
    of_the_model = replace(STOPPED, victims=frozenset({"101", "100"}))
    of_another = replace(STOPPED, victims=frozenset({"b", "7"}))

    assert problems(evidence(None, *SECOND, runs=TOGETHER, outputs=(output(2),), windows=(of_the_worker,))) == []
    assert problems(evidence(None, *SECOND, runs=TOGETHER, outputs=(output(2),), windows=(of_the_model,))) == []
    assert 2 in broken(evidence(None, *SECOND, runs=TOGETHER, outputs=(output(2),), windows=(of_another,)))


def test_a_fault_that_found_nothing_to_hurt_excuses_nobody() -> None:
    nobody = replace(STOPPED, hit=False)
    deafened = replace(LEADER, begin=1.0, end=2.0, hit=False)

    assert 2 in broken(evidence(None, *SECOND, runs=TOGETHER, outputs=(output(2),), windows=(nobody,)))
    assert 3 in broken(evidence(confirmed(2.0), SUCCEEDED, windows=(deafened,)))
    assert 2 in broken(evidence(runs=AGAIN, windows=(replace(FLUSHED, hit=False),)))


AGAIN = (run(1, 5.0, 12.0, ended=False, pid=7), run(1, 10.0, 15.0))


def test_an_attempt_that_redis_forgot_may_be_given_away_once_more_until_it_says_that_it_is_there() -> None:
    late = (run(1, 5.0, 15.5, ended=False, pid=7), run(1, 10.0, 16.0))
    much_later = (run(1, 5.0, 28.0, ended=False, pid=7), run(1, 26.0, 30.0))
    led_by_none = replace(LEADER, begin=9.0, end=15.0)

    assert problems(evidence(runs=AGAIN, windows=(FLUSHED,))) == []
    assert 2 in broken(evidence(runs=AGAIN))
    assert 2 in broken(evidence(runs=late, windows=(FLUSHED,)))
    assert 2 in broken(evidence(runs=much_later, windows=(FLUSHED,)))
    assert 2 not in broken(evidence(runs=much_later, windows=(FLUSHED, led_by_none)))


def test_what_redis_forgot_is_no_excuse_for_another_attempt_beside() -> None:
    assert 2 in broken(evidence(None, *SECOND, runs=TOGETHER, outputs=(output(2),), windows=(FLUSHED,)))


def test_a_cut_that_was_over_long_before_is_no_excuse() -> None:
    runs = (run(1, 5.0, 52.0, ended=False), run(2, 50.0, 60.0))

    assert 2 in broken(evidence(runs=runs, outputs=(output(2),), windows=(STOPPED,)))


def test_a_second_process_of_the_same_attempt_breaks_the_second_as_well() -> None:
    assert 2 in broken(evidence(runs=(run(1, 5.0, 12.0, pid=7), run(1, 6.0, 15.0))))


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("the result was replaced", evidence(outputs=(output(), output(at=40.0, digest="b")))),
        ("nobody knows who made it", evidence(outputs=(output(2),))),
        ("who made it never ended", evidence(runs=(run(ended=False),))),
        ("it is not complete", evidence(outputs=(replace(output(), problem="model.glb is short"),))),
        ("there is none", evidence(outputs=())),
        ("another one lies there at the end", evidence(final=output(digest="b"))),
        ("it is damaged at the end", evidence(final=replace(output(), problem="model.glb is short"))),
        ("it is of a later attempt", evidence(runs=(run(2),), outputs=(output(2),))),
        ("the status has another size", evidence(None, replace(SUCCEEDED, output_bytes=8))),
        ("two attempts succeeded", evidence(successes=2, outputs=(output(), output(digest="b")))),
        ("it came after the cancel", evidence(confirmed(), running(6.0, 20), CANCELLED, outputs=(output(at=40.0),))),
    ],
)
def test_a_result_that_is_not_the_one_that_was_reported_breaks_the_second(what: str, found: Evidence) -> None:
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
def test_a_copy_that_is_not_the_reported_result_for_good_breaks_the_second(what: str, found: Evidence) -> None:
    assert 2 in broken(found), what


def test_a_delivered_copy_breaks_nothing() -> None:
    overtaken = replace(COPY, at=15.0, digest="b")  # of an attempt that did not come to publish its result

    assert problems(delivered()) == []
    assert problems(delivered(earlier=(overtaken, COPY))) == []
    assert problems(delivered(replace(job(), deleted_at=30.0), outputs=())) == []  # it went too soon to be looked at


def test_a_later_attempt_may_report_the_result_that_lies_there() -> None:
    assert problems(evidence(successes=2)) == []


def test_a_result_of_a_worker_that_was_cut_off_when_its_job_was_cancelled_may_lie_there_for_a_moment() -> None:
    cut = replace(STOPPED, begin=8.0, end=24.0)

    def found(at: float) -> Evidence:
        return evidence(confirmed(), running(6.0, 20), CANCELLED, outputs=(output(at=at),), windows=(cut,))

    assert problems(found(25.0)) == []
    assert 2 in broken(found(40.0))


def test_a_cancelled_job_stands_still() -> None:
    its_run = run(last=11.0, ended=False)

    assert problems(evidence(confirmed(), running(6.0, 20), CANCELLED, runs=(its_run,), outputs=())) == []


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("it failed", evidence(confirmed(), FAILED, outputs=())),
        ("it succeeded long after", evidence(confirmed(2.0), SUCCEEDED)),
        ("a fault that keeps nobody from hearing", evidence(confirmed(2.0), SUCCEEDED, windows=(STANDBY,))),
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
        ("its files stayed", evidence(confirmed(), CANCELLED, outputs=(), traces=(Trace("/jobs/x"),))),
        ("it took too long", evidence(confirmed(), replace(CANCELLED, at=31.0), outputs=(), runs=())),
        (
            "a fault that found nothing to hurt",
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
def test_a_confirmed_cancel_that_comes_to_nothing_breaks_the_third(what: str, found: Evidence) -> None:
    assert 3 in broken(found), what


def test_a_confirmed_cancel_has_its_time_and_that_of_the_faults() -> None:
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


def test_a_job_that_ended_before_anybody_could_act_may_succeed_in_spite_of_a_confirmation() -> None:
    assert 3 not in broken(evidence(confirmed(13.0), running(6.0, 20), SUCCEEDED))
    assert 3 not in broken(evidence(confirmed(2.0), SUCCEEDED, windows=(replace(LEADER, begin=1.0, end=2.0),)))


def test_a_flag_that_nobody_wants_breaks_the_fourth() -> None:
    withdrawn = replace(job("withdraw"), requested_at=3.0, withdrawn_at=4.0)

    assert broken(evidence(withdrawn, flags=(f"cancel_request:{UID}",))) == {4}
    assert broken(evidence(flags=(f"cancel:{UID}",))) == {4}


def test_what_stays_for_ever_of_a_deleted_job_breaks_the_fourth() -> None:
    deleted = replace(job(), deleted_at=30.0)

    assert broken(evidence(deleted, traces=(Trace("state: claim:x"),))) == {4}
    assert broken(evidence(deleted, traces=(Trace("/jobs/x"),))) == {4}
    assert broken(evidence(deleted, traces=(Trace("state: claim:x", RETENTION * 2),))) == {4}
    assert broken(evidence(deleted, traces=(Trace("state: cancel:x", 60.0, fades=False),))) == {4}
    assert problems(evidence(deleted, traces=(Trace("state: claim:x", 60.0),))) == []
    assert problems(evidence(job(), traces=(Trace("state: job:x"), Trace("/jobs/x")))) == []


@pytest.mark.parametrize(
    "looks",
    [
        (running(6.0, 60), running(7.0, 20), SUCCEEDED),
        (running(6.0, 20, attempt=2), replace(SUCCEEDED, percent=100)),
    ],
)
def test_progress_or_attempt_that_falls_breaks_the_fifth(looks: tuple[Look, ...]) -> None:
    assert broken(evidence(None, *looks)) == {5}


def test_a_message_of_a_job_that_is_over_breaks_the_fourth() -> None:
    assert broken(with_messages(evidence())) == {4}
    assert broken(with_messages(evidence(replace(job(), deleted_at=30.0), running(6.0, 20)))) == {4}
    assert 4 not in broken(with_messages(evidence(None, running(6.0, 20))))


def with_messages(found: Evidence) -> Evidence:
    found.messages = {UID: ["unacked"]}
    return found


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("half of a copy", delivered(hidden=(".job-1.x-1.partial",))),
        ("what was replaced", delivered(hidden=(".job-1.replaced-0",))),
        (
            "of a deleted job",
            delivered(replace(job(), deleted_at=9.0), running(6.0, 20), hidden=(".job-1.x-1.partial",)),
        ),
        ("of a failed job", delivered(job("poison"), POISONED, outputs=(), hidden=(".job-1.x-1.partial",))),
    ],
)
def test_what_is_left_beside_a_delivered_copy_breaks_the_fourth(what: str, found: Evidence) -> None:
    assert broken(found) == {4}, what


def test_what_is_left_beside_a_delivered_copy_goes_with_the_files_of_a_job_that_has_not_succeeded() -> None:
    found = delivered(job("poison"), POISONED, outputs=(), hidden=(".job-1.x-1.partial",))
    found.with_files = frozenset({UID})

    assert problems(found) == []


def test_a_status_that_stays_behind_breaks_the_fifth() -> None:
    assert broken(evidence(lags=(Lag(UID, 9.0, 40.0),))) == {5}
    assert broken(evidence(lags=(Lag(UID, 9.0, None),))) == {5}


def test_a_job_that_was_never_looked_after_breaks_the_sixth() -> None:
    forgotten = evidence()
    forgotten.histories = {}

    assert {1, 6} <= broken(forgotten)
    assert 6 in broken(evidence(None, running(6.0, 20)))


def test_a_busy_machine_may_be_given_more_time() -> None:
    late = evidence(None, *SECOND, runs=(run(1, 5.0, 20.0, ended=False), run(2, 10.0, 18.0)), outputs=(output(2),))
    late.windows = (STOPPED,)

    assert 2 in broken(late)
    late.bounds = Bounds().times(2.0)
    assert problems(late) == []


def test_what_says_that_it_lives_after_its_end_breaks_the_fourth() -> None:
    assert broken(evidence(traces=(Trace("state: alive:x", 2.0),))) == {4}


def test_an_object_that_vanishes_breaks_the_sixth() -> None:
    kept = replace(job(), ttl_seconds=10)

    assert 6 in broken(evidence(None, running(6.0, 20), gone_at=9.0))
    assert broken(evidence(None, running(6.0, 20), SUCCEEDED, gone_at=40.0)) == {6}
    assert broken(evidence(kept, running(6.0, 20), SUCCEEDED, gone_at=23.0)) == {6}
    assert problems(evidence(kept, running(6.0, 20), SUCCEEDED, gone_at=29.0)) == []


def test_cancels_that_were_confirmed_while_a_model_ran_are_counted() -> None:
    assert confirmed_while_it_ran(evidence(confirmed(10.0), CANCELLED, outputs=())) == (1, 0)
    assert confirmed_while_it_ran(evidence(confirmed(14.0), SUCCEEDED)) == (1, 1)
    assert confirmed_while_it_ran(evidence(confirmed(1.0), SUCCEEDED)) == (0, 0)
