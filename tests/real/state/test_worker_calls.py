"""The worker's calls, one situation a test."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from reconstruction_operator import config
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import End
from reconstruction_operator.state import operator_calls, reads, worker_calls
from reconstruction_operator.state.replies import (
    BeatReply,
    ClaimReply,
    ClaimVerdict,
    FinishReply,
    FinishVerdict,
    WorkerInfo,
)

from tests.support.protocol.caller import RUN, SUCCESS, TASK, Caller
from tests.support.protocol.foreign import NONSENSE_FIELDS

SECOND = RUN | {"token": "second"}
BARE: dict[str, Any] = {"task_id": "0a1b", "job_id": "test123", "attempt": None, "token": "bare"}
CANCELLED = End(Outcome.CANCELLED, "CANCELLED", worker="w")


@pytest.fixture
def running(do: Caller) -> Caller:
    """With attempt 1 wanted and claimed by `RUN`."""
    do.want()
    do.claim()
    return do


# --- Claims


def test_a_wanted_attempt_is_claimed_by_its_first_delivery(do: Caller) -> None:
    do.want()
    assert do.claim() == ClaimReply(ClaimVerdict.CLAIMED)
    seen = do.seen()
    assert (seen.claim.token, seen.claim.owner, seen.claim.by_operator, seen.alive) == ("first", "w", False, True)


def test_a_second_delivery_is_a_duplicate(running: Caller) -> None:
    assert running.claim(SECOND) == ClaimReply(ClaimVerdict.DUPLICATE)


@pytest.mark.parametrize("key", ["claim:job-1", "end:job-1"])
@pytest.mark.parametrize("value", ["nonsense", "[]", "7", '"text"', NONSENSE_FIELDS], ids=str)
def test_a_malformed_value_reads_as_absent(do: Caller, key: str, value: Any) -> None:
    do.want()
    if isinstance(value, str):
        do.client.set(key, value)
    else:
        do.client.hset(key, mapping=value)
    assert do.claim().verdict is ClaimVerdict.CLAIMED


def test_claiming_again_with_the_same_token_is_claimed(running: Caller) -> None:
    assert running.claim().verdict is ClaimVerdict.CLAIMED


def test_an_attempt_that_has_ended_is_a_duplicate_even_for_its_own_token(running: Caller) -> None:
    running.finish()
    assert running.claim().verdict is ClaimVerdict.DUPLICATE


@pytest.mark.parametrize("wanted", [2, 7])
def test_an_attempt_that_is_not_wanted_is_refused(do: Caller, wanted: int) -> None:
    do.want(wanted)
    assert do.claim() == ClaimReply(ClaimVerdict.UNWANTED)
    assert do.seen().claim is None


def test_a_message_without_a_record_writes_nothing(do: Caller) -> None:
    assert do.claim() == ClaimReply(ClaimVerdict.NO_RECORD)
    assert do.client.keys("*") == []


def test_a_bare_task_needs_no_record(do: Caller) -> None:
    assert do.claim(BARE).verdict is ClaimVerdict.CLAIMED
    assert do.claim(BARE | {"token": "other"}).verdict is ClaimVerdict.DUPLICATE


def test_a_claim_reports_a_cancel_and_a_stop(do: Caller) -> None:
    do.want()
    do.order(operator_calls.assert_cancelled, job_id="job")
    do.order(operator_calls.request_stop, task=TASK, reason=StopReason.DEADLINE)
    assert do.claim() == ClaimReply(ClaimVerdict.CLAIMED, cancelled=True, stop=StopReason.DEADLINE)


def test_a_claim_outlives_every_message(running: Caller) -> None:
    assert 604_790_000 < running.client.pttl("claim:job-1") <= config.settings.PROTOCOL_RETENTION_SECONDS * 1000
    assert 5_000 < running.client.pttl("alive:job-1") <= config.settings.ALIVE_TTL_SECONDS * 1000


# --- Heartbeats


def test_a_beat_renews_the_heartbeat(running: Caller) -> None:
    running.client.delete("alive:job-1")
    assert running.beat() == BeatReply(owned=True)
    assert running.seen().alive


def test_a_beat_reports_a_cancel_a_stop_and_a_shutdown(running: Caller) -> None:
    running.order(operator_calls.assert_cancelled, job_id="job")
    running.order(operator_calls.request_stop, task=TASK, reason=StopReason.SUSPEND)
    running(worker_calls.start_draining, "w", "life", 20.0)
    reply = running.beat()
    now = running(reads.observe, []).now
    assert (reply.owned, reply.cancelled, reply.stop) == (True, True, StopReason.SUSPEND)
    assert timedelta(seconds=10) < reply.drain_at - now <= timedelta(seconds=20)


@pytest.mark.parametrize(
    "fields",
    [{"life": "earlier", "at": "1"}, {"life": "life"}, {"life": "life", "at": "x"}, {"life": "life", "at": "9" * 15}],
    ids=str,
)
def test_a_beat_ignores_a_shutdown_of_another_process_or_without_a_time(
    running: Caller, fields: dict[str, str]
) -> None:
    running.client.hset("draining:w", mapping=fields)  # type: ignore[arg-type]  # as narrow as redis-py's annotation
    assert running.beat() == BeatReply(owned=True)


def test_a_beat_with_another_token_is_not_owned_and_changes_nothing(running: Caller) -> None:
    before = running.client.hgetall("alive:job-1")
    assert not running.beat(SECOND).owned
    assert running.client.hgetall("alive:job-1") == before


def test_a_newer_wanted_attempt_supersedes_and_deletes_the_heartbeat(running: Caller) -> None:
    running.want(2)
    assert not running.beat().owned
    assert not running.client.exists("alive:job-1")


def test_an_attempt_that_the_operator_ended_is_not_owned(running: Caller) -> None:
    running.client.delete("alive:job-1")
    running.order(operator_calls.force_end, task=TASK, end=End(Outcome.FAILED, "WORKER_LOST"))
    assert not running.beat().owned


def test_a_beat_after_its_own_end_is_harmless(running: Caller) -> None:
    running.finish()
    assert running.beat().owned
    assert not running.client.exists("alive:job-1")


def test_after_redis_was_emptied_a_heartbeat_claims_again_with_the_record(running: Caller) -> None:
    running.client.flushdb()
    assert running.beat().owned
    assert running.client.keys("*") == []
    running.want()
    assert running.beat().owned
    assert running.claim(SECOND).verdict is ClaimVerdict.DUPLICATE


def test_after_redis_was_emptied_the_second_delivery_is_superseded(running: Caller) -> None:
    running.client.flushdb()
    running.want()
    running.claim(SECOND)
    assert not running.beat().owned
    assert running.finish() == FinishReply(FinishVerdict.SUPERSEDED)


def test_after_redis_was_emptied_a_bare_task_claims_again_at_once(do: Caller) -> None:
    do.claim(BARE)
    do.client.flushdb()
    assert do.beat(BARE).owned
    assert do.client.exists("claim:0a1b", "alive:0a1b") == 2


def test_a_late_beat_or_finish_does_not_bring_back_a_forgotten_job(running: Caller) -> None:
    running.client.delete("alive:job-1")
    running.order(operator_calls.force_end, task=TASK, end=End(Outcome.STOPPED, "DELETED"))
    assert running.order(operator_calls.forget, job_id="job", attempts=1)
    left = set(running.client.keys("*"))
    running.beat()
    assert running.finish().verdict is FinishVerdict.SUPERSEDED
    running(worker_calls.mark_cleaned, "job")
    assert set(running.client.keys("*")) == left == {"fence:install"}


# --- Ends


def test_success_is_recorded_with_its_details(running: Caller) -> None:
    reply = running.finish(end=End(Outcome.SUCCEEDED, message="äöü", worker="w", quality={"faces": "12"}))
    assert reply.verdict is FinishVerdict.RECORDED
    assert (reply.end.message, reply.end.worker, reply.end.quality) == ("äöü", "w", {"faces": "12"})
    assert running.seen().end == reply.end
    assert not running.seen().alive


def test_success_clears_both_flags(running: Caller) -> None:
    running.order(operator_calls.request_cancel, job_id="job")
    running.finish()
    assert not running.client.exists("cancel_request:job", "cancel:job")


def test_a_failure_leaves_the_request(running: Caller) -> None:
    running.order(operator_calls.request_cancel, job_id="job")
    running.finish(end=End(Outcome.FAILED, "WORKER_ERROR"))
    assert running.client.get("cancel_request:job") == "pending"


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.FAILED, Outcome.STOPPED])
def test_with_a_confirmed_cancel_nothing_else_is_recorded(running: Caller, outcome: Outcome) -> None:
    running.order(operator_calls.assert_cancelled, job_id="job")
    assert running.finish(end=End(outcome)) == FinishReply(FinishVerdict.CANCELLED)
    assert running.seen().end is None


def test_a_cancelled_end_is_recorded_and_leaves_the_flag_until_its_ttl(running: Caller) -> None:
    running.order(operator_calls.assert_cancelled, job_id="job")
    assert running.finish(end=CANCELLED).verdict is FinishVerdict.RECORDED
    assert running.client.get("cancel:job") == "1"
    assert 3590 < running.client.ttl("cancel:job") <= 3600


def test_finishing_again_returns_the_recorded_end(running: Caller) -> None:
    first = running.finish()
    again = running.finish(end=End(Outcome.FAILED, "WORKER_ERROR"))
    assert again == FinishReply(FinishVerdict.ALREADY, first.end)


def test_another_token_cannot_finish(running: Caller) -> None:
    assert running.finish(SECOND) == FinishReply(FinishVerdict.SUPERSEDED)
    assert running.seen().end is None


def test_an_unwanted_attempt_cannot_finish(running: Caller) -> None:
    running.want(2)
    assert running.finish() == FinishReply(FinishVerdict.SUPERSEDED)


def test_a_worker_that_was_given_up_gets_the_end_that_counts(running: Caller) -> None:
    running.client.delete("alive:job-1")
    forced = running.order(operator_calls.force_end, task=TASK, end=End(Outcome.FAILED, "WORKER_LOST"))
    assert running.finish() == FinishReply(FinishVerdict.SUPERSEDED, forced)


def test_after_redis_was_emptied_an_end_claims_again(running: Caller) -> None:
    running.client.flushdb()
    running.want()
    assert running.finish().verdict is FinishVerdict.RECORDED
    seen = running.seen()
    assert (seen.claim.token, seen.claim.owner) == ("first", "w")


def test_a_bare_task_finishes_and_clears_the_flags(do: Caller) -> None:
    do.claim(BARE)
    do.client.set("cancel_request:test123", "pending")
    assert do.finish(BARE).verdict is FinishVerdict.RECORDED
    assert not do.client.exists("cancel_request:test123")


# --- Registrations


def worker(node: str) -> dict[str, Any]:
    return {"node": node, "queues": ("celery",), "models": ("placeholder",), "version": "1.0", "concurrency": 2}


def info(node: str) -> WorkerInfo:
    return WorkerInfo(node, ("celery",), ("placeholder",), "1.0", 2)


def test_workers_are_listed_until_they_unregister(do: Caller) -> None:
    do(worker_calls.register_worker, **worker("b"))
    do(worker_calls.register_worker, **worker("a"))
    assert do(reads.live_workers) == (info("a"), info("b"))
    do(worker_calls.unregister_worker, "a")
    assert do(reads.live_workers) == (info("b"),)
    assert set(do.client.keys("*")) == {"worker:b", "workers"}


def test_a_worker_whose_registration_expired_is_not_listed(do: Caller) -> None:
    do(worker_calls.register_worker, **worker("a"))
    do.client.zadd("workers", {"a": 1})
    assert do(reads.live_workers) == ()
    do(worker_calls.register_worker, **worker("b"))
    assert do.client.zrange("workers", 0, -1) == ["b"]


def test_a_worker_that_shuts_down_is_not_listed(do: Caller) -> None:
    do(worker_calls.register_worker, **worker("a"))
    do(worker_calls.start_draining, "a", "life", 20.0)
    assert do(reads.live_workers) == ()


def test_the_first_announcement_of_a_shutdown_counts(do: Caller) -> None:
    do(worker_calls.start_draining, "a", "life", 20.0)
    first = do.client.hgetall("draining:a")
    do(worker_calls.start_draining, "a", "life", 90.0)
    assert do.client.hgetall("draining:a") == first


def test_each_process_announces_its_own_shutdown(do: Caller) -> None:
    do(worker_calls.start_draining, "a", "earlier", 20.0)
    do(worker_calls.start_draining, "a", "life", 20.0)
    assert do.client.hget("draining:a", "life") == "life"


def test_a_worker_is_listed_although_a_predecessor_died_while_draining(do: Caller) -> None:
    do(worker_calls.start_draining, "a", "earlier", 20.0)
    do(worker_calls.register_worker, **worker("a"))
    assert do(reads.live_workers) == (info("a"),)


def test_malformed_registrations_do_not_break_the_list(do: Caller) -> None:
    do.client.set("workers", "nonsense")
    assert do(reads.live_workers) == ()
    do(worker_calls.register_worker, **worker("a"))
    do(worker_calls.register_worker, **worker("b"))
    do.client.set("worker:b", '{"queues": "celery", "models": [1, "m"], "concurrency": -1, "version": 3}')
    assert do(reads.live_workers) == (info("a"), WorkerInfo("b", (), ("m",), "", 1))


# --- Notes in the record, which outlive claim and end


@pytest.mark.parametrize(
    ("end", "noted"), [(CANCELLED, True), (replace(CANCELLED, files_left=True), False), (SUCCESS, False)]
)
def test_the_record_shows_that_a_cancelled_run_deleted_its_files(running: Caller, end: End, *, noted: bool) -> None:
    running.finish(end=end)
    running.client.delete("claim:job-1", "end:job-1")

    record = running.seen().record
    assert (record.begun, record.deleted, running.seen().cleaned) == (True, noted, False)


def test_the_record_shows_that_files_were_deleted_as_ordered(running: Caller) -> None:
    running.finish()
    running(worker_calls.mark_cleaned, "job")
    assert running.client.ttl("cleaned:job") > 0
    running.client.delete("cleaned:job")

    assert running.seen().cleaned
    running.want()
    assert running.seen().cleaned
    running.want(2)
    record = running.seen().record
    assert (record.begun, record.cleaned) == (True, False)


def test_a_later_end_resets_the_note_on_deleted_files(running: Caller) -> None:
    running(worker_calls.mark_cleaned, "job")
    running.finish()

    assert not running.seen().cleaned


def test_a_record_shows_that_no_worker_has_begun(do: Caller) -> None:
    do.want()
    record = do.seen().record
    assert not record.begun


# --- Bare tasks, which no operator repeats


def test_a_bare_task_of_a_silent_worker_goes_to_its_next_delivery(do: Caller) -> None:
    do.claim(BARE)
    other = BARE | {"token": "other"}
    assert do.claim(other).verdict is ClaimVerdict.DUPLICATE
    do.client.delete("alive:0a1b")

    assert do.claim(other).verdict is ClaimVerdict.CLAIMED
    assert (do.beat(BARE).owned, do.beat(other).owned) == (False, True)
    assert do.finish(BARE).verdict is FinishVerdict.SUPERSEDED
    assert do.finish(other).verdict is FinishVerdict.RECORDED


def test_a_bare_task_that_has_ended_is_not_run_again(do: Caller) -> None:
    do.claim(BARE)
    do.finish(BARE)

    assert do.claim(BARE | {"token": "other"}).verdict is ClaimVerdict.DUPLICATE


def test_an_attempt_of_a_silent_worker_waits_for_the_operator(running: Caller) -> None:
    running.client.delete("alive:job-1")

    assert running.claim(SECOND).verdict is ClaimVerdict.DUPLICATE


def test_a_bare_task_that_was_stopped_is_released(do: Caller) -> None:
    do.claim(BARE)

    assert do.finish(BARE, End(Outcome.STOPPED, "DRAINED")).verdict is FinishVerdict.RELEASED
    assert do.client.keys("*") == []
    assert do.claim(BARE | {"token": "other"}).verdict is ClaimVerdict.CLAIMED


def test_a_bare_task_that_was_stopped_and_cancelled_is_cancelled(do: Caller) -> None:
    do.claim(BARE)
    do.client.set("cancel:test123", "1")

    assert do.finish(BARE, End(Outcome.STOPPED, "DRAINED")).verdict is FinishVerdict.CANCELLED
