"""The worker's calls: an example of each script. tests/real/protocol makes random ones."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from reconstruction_operator import config
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import End
from reconstruction_operator.state import operator_calls, reads, worker_calls
from reconstruction_operator.state.replies import (
    BeatReply,
    ClaimCode,
    ClaimReply,
    FinishCode,
    FinishReply,
    WorkerInfo,
)

from tests.support.protocol.caller import RUN, SUCCESS, TASK, Caller, attempt_of
from tests.support.refs import make_bare

SECOND = RUN | {"token": "second"}
BARE: dict[str, Any] = {"attempt": make_bare("test123", "0a1b"), "token": "bare"}
DIGEST = "0123456789abcdef" * 2
AGAIN = BARE | {"token": "other"}
CANCELLED = End(Outcome.CANCELLED, "CANCELLED", worker="w")
DRAINED = End(Outcome.STOPPED, "DRAINED")


@pytest.fixture
def running(do: Caller) -> Caller:
    """With attempt 1 wanted and claimed by `RUN`."""
    do.want()
    do.claim()
    return do


def test_an_attempt_is_claimed_by_the_first_delivery_once_it_is_wanted(do: Caller) -> None:
    assert do.claim() == ClaimReply(ClaimCode.NO_RECORD)
    do.want(2)
    assert do.claim() == ClaimReply(ClaimCode.UNWANTED)
    second = RUN | {"attempt": attempt_of("job", 2)}
    assert do.claim(second) == do.claim(second) == ClaimReply(ClaimCode.CLAIMED)
    do.client.delete("alive:job")
    assert do.claim(second | {"token": "second"}) == ClaimReply(ClaimCode.DUPLICATE)
    do.finish(second)
    assert do.claim(second) == ClaimReply(ClaimCode.DUPLICATE)


def test_claims_and_beats_report_a_cancel_a_stop_and_a_shutdown(do: Caller) -> None:
    do.want()
    do.flag("confirm")
    do.order(operator_calls.request_stop, attempt=TASK, reason=StopReason.DEADLINE)
    do(worker_calls.start_draining, "w", "life", 20.0)
    assert do.claim() == ClaimReply(ClaimCode.CLAIMED, cancelled=True, stop=StopReason.DEADLINE)
    reply = do.beat()
    now = do(reads.observe, []).now
    assert (reply.owned, reply.cancelled, reply.stop) == (True, True, StopReason.DEADLINE)
    assert timedelta(seconds=10) < reply.drain_at - now <= timedelta(seconds=20)


def test_a_claim_lasts_as_long_as_the_record_and_a_heartbeat_does_not(running: Caller) -> None:
    assert running.client.ttl("job:job") == -1
    assert 5_000 < running.client.pttl("alive:job") <= config.settings.ALIVE_TTL_SECONDS * 1000


@pytest.mark.parametrize(
    "fields",
    [{"life": "earlier", "at": "1"}, {"life": "life"}, {"life": "life", "at": "x"}, {"life": "life", "at": "9" * 15}],
    ids=str,
)
def test_a_beat_ignores_a_shutdown_of_another_process_or_without_a_time(do: Caller, fields: dict[str, str]) -> None:
    do.want()
    do.claim()
    do.client.hset("draining:w", mapping=fields)
    assert do.beat() == BeatReply(owned=True)


def test_a_beat_renews_the_heartbeat_of_its_claimant_until_the_end(running: Caller) -> None:
    running.client.delete("alive:job")
    assert (running.beat(SECOND).owned, running.seen().alive) == (False, False)
    assert (running.beat().owned, running.seen().alive) == (True, True)
    assert running.client.pttl("alive:job") <= config.settings.ALIVE_TTL_SECONDS * 1000
    running.finish()
    assert (running.beat().owned, running.seen().alive) == (True, False)


@pytest.mark.parametrize("by", ["a newer attempt", "the operator"])
def test_a_superseded_run_loses_its_heartbeat_and_records_no_end(running: Caller, by: str) -> None:
    forced = None
    if by == "the operator":
        running.client.delete("alive:job")
        forced = running.end(End(Outcome.FAILED, "WORKER_LOST"), is_lost=True)
    else:
        running.want(2)
    assert not running.beat().owned
    assert not running.client.exists("alive:job")
    assert running.finish() == FinishReply(FinishCode.SUPERSEDED, forced)


def test_after_redis_was_emptied_a_heartbeat_or_an_end_claims_again_with_the_record(running: Caller) -> None:
    running.client.flushdb()
    assert running.beat().owned
    assert running.client.keys("*") == []
    running.want()
    assert running.beat().owned
    assert running.claim(SECOND).code is ClaimCode.DUPLICATE
    running.client.flushdb()
    running.want()
    assert running.finish().code is FinishCode.RECORDED


def test_a_late_call_does_not_bring_back_a_forgotten_job(running: Caller) -> None:
    running.client.delete("alive:job")
    running.end(End(Outcome.STOPPED, "DELETED"), is_lost=True)
    assert running.order(operator_calls.forget, job_id="job")
    assert not running.beat().owned
    assert running.claim().code is ClaimCode.UNWANTED
    running.finish()
    running(worker_calls.mark_cleaned, "job")
    assert running.client.hgetall("job:job") == {"gone": "1"}
    assert set(running.client.keys("*")) == {"fence:install", "job:job"}
    assert 604_790_000 < running.client.pttl("job:job") <= config.settings.PROTOCOL_RETENTION_SECONDS * 1000


def test_a_run_that_redis_does_not_remember_continues_until_its_attempt_is_wanted_again(do: Caller) -> None:
    do.want(2)
    second = RUN | {"attempt": attempt_of("job", 2)}
    do.claim(second)
    do.client.flushdb()
    do.want(1)  # as in an older snapshot
    assert (do.beat(second).owned, do.seen().claim) == (True, None)
    assert do.finish(second) == FinishReply(FinishCode.SUPERSEDED)
    do.want(2)
    assert do.beat(second).owned
    assert do.finish(second).code is FinishCode.RECORDED


def test_an_end_is_recorded_once_with_its_details_and_clears_the_request(running: Caller) -> None:
    running.flag("request")
    reply = running.finish(
        end=End(Outcome.SUCCEEDED, message="äöü", worker="w", findings=Findings(quality={"faces": "12"}))
    )
    assert (reply.end.message, reply.end.worker, reply.end.findings.quality) == ("äöü", "w", {"faces": "12"})
    assert running.finish(end=End(Outcome.FAILED)) == FinishReply(FinishCode.ALREADY, reply.end)
    assert running.seen().end == reply.end
    assert not running.client.exists("cancel_request:job")


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.FAILED, Outcome.STOPPED])
def test_with_a_confirmed_cancel_nothing_else_is_recorded(running: Caller, outcome: Outcome) -> None:
    running.flag("confirm")
    assert running.finish(end=End(outcome)) == FinishReply(FinishCode.CANCELLED)
    assert running.finish(end=CANCELLED).code is FinishCode.RECORDED
    assert 3590 < running.client.ttl("cancel:job") <= 3600


@pytest.mark.parametrize(
    ("end", "deleted"), [(CANCELLED, True), (replace(CANCELLED, files_left=True), False), (SUCCESS, False)]
)
def test_the_record_shows_whether_a_worker_began_and_whether_its_run_deleted_the_files(
    running: Caller, end: End, *, deleted: bool
) -> None:
    assert running.seen().record.begun
    running(worker_calls.mark_cleaned, "job")
    running.client.hset("job:job", "deleted", "1")  # of an earlier run of the attempt
    running.finish(end=end)  # after which files may be left again
    record = running.seen().record
    assert (record.begun, record.deleted, running.seen().cleaned) == (True, deleted, False)
    assert running.want(2).begun


def test_the_record_shows_that_files_were_deleted_as_ordered(running: Caller) -> None:
    running.finish()
    running(worker_calls.mark_cleaned, "job")
    assert running.seen().cleaned
    assert running.want().cleaned
    assert not running.want(2).cleaned


# --- Registrations


def info(node: str) -> WorkerInfo:
    return WorkerInfo(node, ("celery",), DIGEST)


def register(do: Caller, node: str) -> None:
    do(worker_calls.register_worker, node=node, queues=("celery",), announced=DIGEST)


def test_a_worker_is_listed_until_it_unregisters_expires_or_drains(do: Caller) -> None:
    do(worker_calls.start_draining, "a", "earlier", 20.0)  # the life of its predecessor
    for node in "dcba":
        register(do, node)
    assert do(reads.live_workers) == tuple(map(info, "abcd"))
    do(worker_calls.start_draining, "b", "life", 20.0)
    do(worker_calls.unregister_worker, "b")
    assert (do.client.exists("worker:b", "draining:b"), do.client.zscore("workers", "b")) == (0, None)
    do(worker_calls.start_draining, "c", "life", 20.0)
    do.client.zadd("workers", {"d": 1})
    assert do(reads.live_workers) == (info("a"),)


def test_the_first_announcement_of_each_process_counts(do: Caller) -> None:
    do(worker_calls.start_draining, "a", "earlier", 20.0)
    do(worker_calls.start_draining, "a", "life", 20.0)
    first = do.client.hgetall("draining:a")
    do(worker_calls.start_draining, "a", "life", 90.0)
    assert do.client.hgetall("draining:a") == first
    assert first["life"] == "life"


def test_malformed_registrations_do_not_break_the_list(do: Caller) -> None:
    do.client.set("workers", "nonsense")
    assert do(reads.live_workers) == ()
    for node in "ab":
        register(do, node)
    do.client.set("worker:b", '{"queues": "celery", "announced": [1]}')
    assert do(reads.live_workers) == (info("a"), WorkerInfo("b"))


# --- Bare tasks, which have no record and which no operator repeats


def test_a_bare_task_of_a_silent_worker_goes_to_its_next_delivery(do: Caller) -> None:
    assert [do.claim(run).code for run in (BARE, AGAIN)] == [ClaimCode.CLAIMED, ClaimCode.DUPLICATE]
    assert 604_790_000 < do.client.pttl("task:0a1b") <= config.settings.PROTOCOL_RETENTION_SECONDS * 1000
    do.client.delete("alive:0a1b")
    do.client.pexpire("task:0a1b", 60_000)
    assert do.claim(AGAIN).code is ClaimCode.CLAIMED
    assert [do.beat(run).owned for run in (BARE, AGAIN)] == [False, True]
    assert [do.finish(run).code for run in (BARE, AGAIN)] == [FinishCode.SUPERSEDED, FinishCode.RECORDED]
    assert do.claim(BARE).code is ClaimCode.DUPLICATE
    assert do.client.pttl("task:0a1b") > 604_790_000


def test_after_redis_was_emptied_a_bare_task_claims_again_at_once(do: Caller) -> None:
    do.claim(BARE)
    do.client.flushdb()
    assert do.beat(BARE).owned
    do.client.set("cancel_request:test123", "pending")
    assert do.finish(BARE).code is FinishCode.RECORDED
    assert not do.client.exists("cancel_request:test123")


def test_a_bare_task_that_was_stopped_is_released_unless_it_was_cancelled(do: Caller) -> None:
    do.claim(BARE)
    assert do.finish(BARE, DRAINED).code is FinishCode.RELEASED
    assert do.client.keys("*") == []
    assert do.claim(AGAIN).code is ClaimCode.CLAIMED
    do.client.set("cancel:test123", "1")
    assert do.finish(AGAIN, DRAINED).code is FinishCode.CANCELLED
