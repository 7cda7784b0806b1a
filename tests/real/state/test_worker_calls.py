"""The worker's calls, one situation a test."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis
from reconstruction_operator import config
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import End, ObservedJob
from reconstruction_operator.state import calls, operator_calls, reads, worker_calls
from reconstruction_operator.state.replies import (
    BeatReply,
    ClaimReply,
    ClaimVerdict,
    FinishReply,
    FinishVerdict,
    WorkerInfo,
)

from tests.support.protocol.foreign import NONSENSE_FIELDS

TASK = TaskId("job", 1)
FIRST: dict[str, Any] = {"task_id": "job-1", "job_id": "job", "attempt": 1, "token": "first"}
SECOND = FIRST | {"token": "second"}
BARE: dict[str, Any] = {"task_id": "0a1b", "job_id": "test123", "attempt": None, "token": "bare"}
LEADER: dict[str, Any] = {"fence": 1, "install_id": "install"}
SUCCESS = End(Outcome.SUCCEEDED, worker="w")
CANCELLED = End(Outcome.CANCELLED, "CANCELLED", worker="w")


class Redis:
    """The calls on one Redis, with few arguments."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self.client = client
        self.keys = keys

    def do(self, make: Callable[..., calls.Call[Any]], *args: Any, **kwargs: Any) -> Any:
        return calls.run(self.client, make(self.keys, *args, **kwargs))

    def want(self, attempt: int) -> None:
        self.do(
            operator_calls.put_record, **LEADER, job_id="job", namespace="ns", name="n", attempt=attempt, queue="celery"
        )

    def claim(self, who: dict[str, Any] = FIRST) -> ClaimReply:
        return self.do(worker_calls.claim, **who, worker="w")

    def beat(self, who: dict[str, Any] = FIRST) -> BeatReply:
        return self.do(worker_calls.beat, **who, worker="w", life="life")

    def finish(self, who: dict[str, Any] = FIRST, end: End = SUCCESS) -> FinishReply:
        return self.do(worker_calls.finish, **who, end=end)

    def seen(self) -> ObservedJob:
        return self.do(reads.observe, [("job", TASK)]).jobs[0]


@pytest.fixture
def state(client: redis.Redis, keys: Keys) -> Redis:
    return Redis(client, keys)


@pytest.fixture
def running(state: Redis) -> Redis:
    """With attempt 1 wanted and claimed by `first`."""
    state.want(1)
    state.claim()
    return state


# --- Claims


def test_a_wanted_attempt_is_claimed_by_its_first_delivery(state: Redis) -> None:
    state.want(1)
    assert state.claim() == ClaimReply(ClaimVerdict.CLAIMED)
    seen = state.seen()
    assert seen.claim is not None
    assert (seen.claim.token, seen.claim.owner, seen.claim.by_operator, seen.alive) == ("first", "w", False, True)


def test_a_second_delivery_is_a_duplicate(running: Redis) -> None:
    assert running.claim(SECOND) == ClaimReply(ClaimVerdict.DUPLICATE)


@pytest.mark.parametrize("key", ["claim:job-1", "end:job-1"])
@pytest.mark.parametrize("value", ["nonsense", "[]", "7", '"text"', NONSENSE_FIELDS], ids=str)
def test_a_malformed_value_reads_as_absent(state: Redis, key: str, value: Any) -> None:
    state.want(1)
    if isinstance(value, str):
        state.client.set(key, value)
    else:
        state.client.hset(key, mapping=value)
    assert state.claim().verdict is ClaimVerdict.CLAIMED


def test_claiming_again_with_the_same_token_is_claimed(running: Redis) -> None:
    assert running.claim().verdict is ClaimVerdict.CLAIMED


def test_an_attempt_that_has_ended_is_a_duplicate_even_for_its_own_token(running: Redis) -> None:
    running.finish()
    assert running.claim().verdict is ClaimVerdict.DUPLICATE


@pytest.mark.parametrize("wanted", [2, 7])
def test_an_attempt_that_is_not_wanted_is_refused(state: Redis, wanted: int) -> None:
    state.want(wanted)
    assert state.claim() == ClaimReply(ClaimVerdict.UNWANTED)
    assert state.seen().claim is None


def test_a_message_without_a_record_writes_nothing(state: Redis) -> None:
    assert state.claim() == ClaimReply(ClaimVerdict.NO_RECORD)
    assert state.client.keys("*") == []


def test_a_bare_task_needs_no_record(state: Redis) -> None:
    assert state.claim(BARE).verdict is ClaimVerdict.CLAIMED
    assert state.claim(BARE | {"token": "other"}).verdict is ClaimVerdict.DUPLICATE


def test_a_claim_reports_a_cancel_and_a_stop(state: Redis) -> None:
    state.want(1)
    state.do(operator_calls.assert_cancelled, **LEADER, job_id="job")
    state.do(operator_calls.request_stop, **LEADER, task=TASK, reason=StopReason.DEADLINE)
    assert state.claim() == ClaimReply(ClaimVerdict.CLAIMED, cancelled=True, stop=StopReason.DEADLINE)


def test_a_claim_outlives_every_message(running: Redis) -> None:
    assert 604_790_000 < running.client.pttl("claim:job-1") <= config.settings.PROTOCOL_RETENTION_SECONDS * 1000
    assert 5_000 < running.client.pttl("alive:job-1") <= config.settings.ALIVE_TTL_SECONDS * 1000


# --- Heartbeats


def test_a_beat_renews_the_heartbeat(running: Redis) -> None:
    running.client.delete("alive:job-1")
    assert running.beat() == BeatReply(owned=True)
    assert running.seen().alive


def test_a_beat_reports_a_cancel_a_stop_and_a_shutdown(running: Redis) -> None:
    running.do(operator_calls.assert_cancelled, **LEADER, job_id="job")
    running.do(operator_calls.request_stop, **LEADER, task=TASK, reason=StopReason.SUSPEND)
    running.do(worker_calls.start_draining, "w", "life", 20.0)
    reply = running.beat()
    now = running.do(reads.observe, []).now
    assert (reply.owned, reply.cancelled, reply.stop) == (True, True, StopReason.SUSPEND)
    assert reply.drain_at is not None
    assert timedelta(seconds=10) < reply.drain_at - now <= timedelta(seconds=20)


@pytest.mark.parametrize(
    "fields",
    [{"life": "earlier", "at": "1"}, {"life": "life"}, {"life": "life", "at": "x"}, {"life": "life", "at": "9" * 15}],
    ids=str,
)
def test_a_beat_ignores_a_shutdown_of_another_process_or_without_a_time(running: Redis, fields: dict[str, str]) -> None:
    running.client.hset("draining:w", mapping=fields)  # type: ignore[arg-type]  # as narrow as redis-py's annotation
    assert running.beat() == BeatReply(owned=True)


def test_a_beat_with_another_token_is_not_owned_and_changes_nothing(running: Redis) -> None:
    before = running.client.hgetall("alive:job-1")
    assert not running.beat(SECOND).owned
    assert running.client.hgetall("alive:job-1") == before


def test_a_newer_wanted_attempt_supersedes_and_deletes_the_heartbeat(running: Redis) -> None:
    running.want(2)
    assert not running.beat().owned
    assert not running.client.exists("alive:job-1")


def test_an_attempt_that_the_operator_ended_is_not_owned(running: Redis) -> None:
    running.client.delete("alive:job-1")
    running.do(operator_calls.force_end, **LEADER, task=TASK, end=End(Outcome.FAILED, "WORKER_LOST"))
    assert not running.beat().owned


def test_a_beat_after_its_own_end_is_harmless(running: Redis) -> None:
    running.finish()
    assert running.beat().owned
    assert not running.client.exists("alive:job-1")


def test_after_redis_was_emptied_a_heartbeat_claims_again_with_the_record(running: Redis) -> None:
    running.client.flushdb()
    assert running.beat().owned
    assert running.client.keys("*") == []
    running.want(1)
    assert running.beat().owned
    assert running.claim(SECOND).verdict is ClaimVerdict.DUPLICATE


def test_after_redis_was_emptied_the_second_delivery_is_superseded(running: Redis) -> None:
    running.client.flushdb()
    running.want(1)
    running.claim(SECOND)
    assert not running.beat().owned
    assert running.finish() == FinishReply(FinishVerdict.OVERTAKEN)


def test_after_redis_was_emptied_a_bare_task_claims_again_at_once(state: Redis) -> None:
    state.claim(BARE)
    state.client.flushdb()
    assert state.beat(BARE).owned
    assert state.client.exists("claim:0a1b", "alive:0a1b") == 2


def test_a_late_beat_or_finish_does_not_bring_back_a_forgotten_job(running: Redis) -> None:
    running.client.delete("alive:job-1")
    running.do(operator_calls.force_end, **LEADER, task=TASK, end=End(Outcome.STOPPED, "DELETED"))
    assert running.do(operator_calls.forget, **LEADER, job_id="job", attempts=1)
    left = set(running.client.keys("*"))
    running.beat()
    assert running.finish().verdict is FinishVerdict.OVERTAKEN
    running.do(worker_calls.mark_cleaned, "job")
    assert set(running.client.keys("*")) == left == {"fence:install"}


# --- Ends


def test_success_is_recorded_with_its_details(running: Redis) -> None:
    reply = running.finish(end=End(Outcome.SUCCEEDED, message="äöü", worker="w", quality={"faces": "12"}))
    assert reply.verdict is FinishVerdict.RECORDED
    assert reply.end is not None
    assert (reply.end.message, reply.end.worker, reply.end.quality) == ("äöü", "w", {"faces": "12"})
    assert running.seen().end == reply.end
    assert not running.seen().alive


def test_success_clears_both_flags(running: Redis) -> None:
    running.do(operator_calls.request_cancel, **LEADER, job_id="job")
    running.finish()
    assert not running.client.exists("cancel_request:job", "cancel:job")


def test_a_failure_leaves_the_request(running: Redis) -> None:
    running.do(operator_calls.request_cancel, **LEADER, job_id="job")
    running.finish(end=End(Outcome.FAILED, "WORKER_ERROR"))
    assert running.client.get("cancel_request:job") == "pending"


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.FAILED, Outcome.STOPPED])
def test_with_a_confirmed_cancel_nothing_else_is_recorded(running: Redis, outcome: Outcome) -> None:
    running.do(operator_calls.assert_cancelled, **LEADER, job_id="job")
    assert running.finish(end=End(outcome)) == FinishReply(FinishVerdict.CANCELLED)
    assert running.seen().end is None


def test_a_cancelled_end_is_recorded_and_leaves_the_flag_until_its_ttl(running: Redis) -> None:
    running.do(operator_calls.assert_cancelled, **LEADER, job_id="job")
    assert running.finish(end=CANCELLED).verdict is FinishVerdict.RECORDED
    assert running.client.get("cancel:job") == "1"
    assert 3590 < running.client.ttl("cancel:job") <= 3600


def test_finishing_again_returns_the_recorded_end(running: Redis) -> None:
    first = running.finish()
    again = running.finish(end=End(Outcome.FAILED, "WORKER_ERROR"))
    assert again == FinishReply(FinishVerdict.ALREADY, first.end)


def test_another_token_cannot_finish(running: Redis) -> None:
    assert running.finish(SECOND) == FinishReply(FinishVerdict.OVERTAKEN)
    assert running.seen().end is None


def test_an_unwanted_attempt_cannot_finish(running: Redis) -> None:
    running.want(2)
    assert running.finish() == FinishReply(FinishVerdict.OVERTAKEN)


def test_a_worker_that_was_given_up_gets_the_end_that_counts(running: Redis) -> None:
    running.client.delete("alive:job-1")
    forced = running.do(operator_calls.force_end, **LEADER, task=TASK, end=End(Outcome.FAILED, "WORKER_LOST"))
    assert running.finish() == FinishReply(FinishVerdict.OVERTAKEN, forced)


def test_after_redis_was_emptied_an_end_claims_again(running: Redis) -> None:
    running.client.flushdb()
    running.want(1)
    assert running.finish().verdict is FinishVerdict.RECORDED
    seen = running.seen()
    assert seen.claim is not None
    assert (seen.claim.token, seen.claim.owner) == ("first", "w")


def test_a_bare_task_finishes_and_clears_the_flags(state: Redis) -> None:
    state.claim(BARE)
    state.client.set("cancel_request:test123", "pending")
    assert state.finish(BARE).verdict is FinishVerdict.RECORDED
    assert not state.client.exists("cancel_request:test123")


# --- Registrations


def worker(node: str) -> dict[str, Any]:
    return {"node": node, "queues": ("celery",), "models": ("placeholder",), "version": "1.0", "concurrency": 2}


def info(node: str) -> WorkerInfo:
    return WorkerInfo(node, ("celery",), ("placeholder",), "1.0", 2)


def test_workers_are_listed_until_they_unregister(state: Redis) -> None:
    state.do(worker_calls.register_worker, **worker("b"))
    state.do(worker_calls.register_worker, **worker("a"))
    assert state.do(reads.live_workers) == (info("a"), info("b"))
    state.do(worker_calls.unregister_worker, "a")
    assert state.do(reads.live_workers) == (info("b"),)
    assert set(state.client.keys("*")) == {"worker:b", "workers"}


def test_a_worker_whose_registration_expired_is_not_listed(state: Redis) -> None:
    state.do(worker_calls.register_worker, **worker("a"))
    state.client.zadd("workers", {"a": 1})
    assert state.do(reads.live_workers) == ()
    state.do(worker_calls.register_worker, **worker("b"))
    assert state.client.zrange("workers", 0, -1) == ["b"]


def test_a_worker_that_shuts_down_is_not_listed(state: Redis) -> None:
    state.do(worker_calls.register_worker, **worker("a"))
    state.do(worker_calls.start_draining, "a", "life", 20.0)
    assert state.do(reads.live_workers) == ()


def test_the_first_announcement_of_a_shutdown_counts(state: Redis) -> None:
    state.do(worker_calls.start_draining, "a", "life", 20.0)
    first = state.client.hgetall("draining:a")
    state.do(worker_calls.start_draining, "a", "life", 90.0)
    assert state.client.hgetall("draining:a") == first


def test_each_process_announces_its_own_shutdown(state: Redis) -> None:
    state.do(worker_calls.start_draining, "a", "earlier", 20.0)
    state.do(worker_calls.start_draining, "a", "life", 20.0)
    assert state.client.hget("draining:a", "life") == "life"


def test_a_worker_is_listed_although_a_predecessor_died_while_draining(state: Redis) -> None:
    state.do(worker_calls.start_draining, "a", "earlier", 20.0)
    state.do(worker_calls.register_worker, **worker("a"))
    assert state.do(reads.live_workers) == (info("a"),)


def test_malformed_registrations_do_not_break_the_list(state: Redis) -> None:
    state.client.set("workers", "nonsense")
    assert state.do(reads.live_workers) == ()
    state.do(worker_calls.register_worker, **worker("a"))
    state.do(worker_calls.register_worker, **worker("b"))
    state.client.set("worker:b", '{"queues": "celery", "models": [1, "m"], "concurrency": -1, "version": 3}')
    assert state.do(reads.live_workers) == (info("a"), WorkerInfo("b", (), ("m",), "", 1))


# --- Notes in the record, which outlive claim and end


@pytest.mark.parametrize(
    ("end", "noted"), [(CANCELLED, True), (replace(CANCELLED, files_left=True), False), (SUCCESS, False)]
)
def test_the_record_shows_that_a_cancelled_run_deleted_its_files(running: Redis, end: End, *, noted: bool) -> None:
    running.finish(end=end)
    running.client.delete("claim:job-1", "end:job-1")

    record = running.seen().record
    assert record is not None
    assert (record.begun, record.deleted, running.seen().cleaned) == (True, noted, False)


def test_the_record_shows_that_files_were_deleted_as_ordered(running: Redis) -> None:
    running.finish()
    running.do(worker_calls.mark_cleaned, "job")
    assert running.client.ttl("cleaned:job") > 0
    running.client.delete("cleaned:job")

    assert running.seen().cleaned
    running.want(1)
    assert running.seen().cleaned
    running.want(2)
    record = running.seen().record
    assert record is not None
    assert (record.begun, record.cleaned) == (True, False)


def test_a_later_end_resets_the_note_on_deleted_files(running: Redis) -> None:
    running.do(worker_calls.mark_cleaned, "job")
    running.finish()

    assert not running.seen().cleaned


def test_a_record_shows_that_no_worker_has_begun(state: Redis) -> None:
    state.want(1)
    record = state.seen().record
    assert record is not None
    assert not record.begun


# --- Bare tasks, which no operator repeats


def test_a_bare_task_of_a_silent_worker_goes_to_its_next_delivery(state: Redis) -> None:
    state.claim(BARE)
    other = BARE | {"token": "other"}
    assert state.claim(other).verdict is ClaimVerdict.DUPLICATE
    state.client.delete("alive:0a1b")

    assert state.claim(other).verdict is ClaimVerdict.CLAIMED
    assert (state.beat(BARE).owned, state.beat(other).owned) == (False, True)
    assert state.finish(BARE).verdict is FinishVerdict.OVERTAKEN
    assert state.finish(other).verdict is FinishVerdict.RECORDED


def test_a_bare_task_that_has_ended_is_not_run_again(state: Redis) -> None:
    state.claim(BARE)
    state.finish(BARE)

    assert state.claim(BARE | {"token": "other"}).verdict is ClaimVerdict.DUPLICATE


def test_an_attempt_of_a_silent_worker_waits_for_the_operator(running: Redis) -> None:
    running.client.delete("alive:job-1")

    assert running.claim(SECOND).verdict is ClaimVerdict.DUPLICATE


def test_a_bare_task_that_was_stopped_is_released(state: Redis) -> None:
    state.claim(BARE)

    assert state.finish(BARE, End(Outcome.STOPPED, "DRAINED")).verdict is FinishVerdict.RELEASED
    assert state.client.keys("*") == []
    assert state.claim(BARE | {"token": "other"}).verdict is ClaimVerdict.CLAIMED


def test_a_bare_task_that_was_stopped_and_cancelled_is_cancelled(state: Redis) -> None:
    state.claim(BARE)
    state.client.set("cancel:test123", "1")

    assert state.finish(BARE, End(Outcome.STOPPED, "DRAINED")).verdict is FinishVerdict.CANCELLED
