"""The operator's calls: an example of each script. tests/real/protocol makes random ones."""

from collections.abc import Callable
from typing import Any

import pytest
import redis
from reconstruction_operator import config
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import End, ObservedJob, Record
from reconstruction_operator.state import calls, fields, operator_calls, reads, worker_calls
from reconstruction_operator.state.calls import DeposedError
from reconstruction_operator.state.replies import ClaimCode
from reconstruction_operator.state.timeline import LookCounts

from tests.support.protocol.caller import RUN, TASK, Caller, attempt_of
from tests.support.protocol.contents import Contents

LOST = End(Outcome.FAILED, "WORKER_LOST", "silent for 10 s")
TAKEN = End(Outcome.CANCELLED, "CANCELLED", "before a worker had begun")
OTHER: dict[str, Any] = {"fence": 1, "install_id": "other"}
ORDERS: list[tuple[Callable[..., calls.Call[Any]], dict[str, Any]]] = [
    (operator_calls.put_record, {"attempt": TASK}),
    (operator_calls.mark_sent, {"attempt": TASK}),
    (operator_calls.change_flags, {"job_id": "job", "change": "confirm"}),
    (operator_calls.end_attempt, {"attempt": TASK, "end": TAKEN}),
    (operator_calls.request_stop, {"attempt": TASK, "reason": StopReason.SUSPEND}),
    (operator_calls.forget, {"job_id": "job"}),
    (operator_calls.open_epoch, {"run_id": "run"}),
    (operator_calls.index_records, {"job_ids": ["job"]}),
    (operator_calls.drop_folders, {"job_ids": ["job"]}),
    (operator_calls.report_held, {"held": [("job", "records/team-a")], "replace": True}),
    (operator_calls.drop_released, {}),
]


@pytest.mark.parametrize(("make", "what"), ORDERS, ids=[make.__name__ for make, _ in ORDERS])
def test_each_call_raises_the_fence_and_a_deposed_operator_changes_nothing(
    do: Caller, client: redis.Redis, make: Callable[..., calls.Call[Any]], what: dict[str, Any]
) -> None:
    for fence in (4, 6):
        do(make, fence=fence, install_id="install", **what)
    client.set("cancel_request:job", "pending")
    before = Contents.of(client).values
    assert before["fence:install"] == "6"
    with pytest.raises(DeposedError, match="fence is 5, but 6 was seen"):
        do.order(make, **what)
    assert Contents.of(client).values == before
    do(make, **OTHER, **what)  # another installation has its own fence


@pytest.mark.parametrize("junk", ["many", "", "-3", "1e9", "nan", "0x20", "9" * 40, "2000000001"])
def test_a_fence_that_no_lease_can_reach_is_replaced(do: Caller, client: redis.Redis, junk: str) -> None:
    client.set("fence:install", junk)
    do.order(operator_calls.open_epoch, run_id="run")
    assert client.get("fence:install") == "5"


def test_the_attempt_of_a_record_never_decreases(do: Caller) -> None:
    assert do.want(3, queue="celery-high") == Record(attempt_of("job", 3, queue="celery-high"))
    assert do.want(2).attempt.number == 3
    assert do.seen().record.attempt.queue == "celery-high"
    assert do(reads.list_records, "install") == ("job",)


def test_an_attempt_too_far_ahead_to_be_ours_is_replaced(do: Caller, client: redis.Redis) -> None:
    for ahead, valid in ((fields.MAX_AHEAD, 1 + fields.MAX_AHEAD), (fields.MAX_AHEAD + 1, 1)):
        client.hset("job:job", mapping={"attempt": 1 + ahead, "queue": "celery"})
        assert do.want().attempt.number == valid


def test_names_in_any_language_survive_in_a_record(do: Caller) -> None:
    record = do.want(namespace='n/"\\', name="名前 ö")
    assert (record.attempt.job.namespace, record.attempt.job.name) == ('n/"\\', "名前 ö")


def test_what_was_sent_is_noted_in_the_record_of_its_attempt(do: Caller) -> None:
    do.order(operator_calls.mark_sent, attempt=TASK)  # without a record
    do.want(2)
    for attempt in (1, 3):
        do.order(operator_calls.mark_sent, attempt=attempt_of("job", attempt))
    assert do.want(2).sent_at is None
    for orders in (1, 2):
        do.order(operator_calls.mark_sent, attempt=attempt_of("job", 2), is_order=True)
        assert (do.want(2).orders, do.want(2).sent_at is None) == (orders, False)
    do.order(operator_calls.mark_sent, attempt=attempt_of("job", 2))
    assert do.want(2).orders == 0
    assert do.want(4).sent_at is None


@pytest.mark.parametrize("far", ["in the future", "malformed"])
def test_a_malformed_time_of_sending_is_dropped(do: Caller, client: redis.Redis, far: str) -> None:
    seconds, _ = client.time()
    do.want()
    client.hset("job:job", "sent_at", f"{seconds + 2 * 86_400}000" if far == "in the future" else "x")
    assert do.seen().record.sent_at is None
    assert do.want().sent_at is None


def test_a_record_that_is_indexed_again_is_ours(do: Caller, client: redis.Redis) -> None:
    do(operator_calls.put_record, **OTHER, attempt=TASK)
    do.order(operator_calls.index_records, job_ids=["job", "no-record"])
    assert do(reads.list_records, "install") == ("job",)
    assert client.hget("job:job", "install_id") == "install"


def test_a_cancel_is_requested_withdrawn_confirmed_and_cleared(do: Caller, client: redis.Redis) -> None:
    flags = ("cancel_request:job", "cancel:job")
    changes: list[tuple[operator_calls.FlagChange, list[str | None]]] = [
        ("request", ["pending", None]),
        ("withdraw", [None, None]),
        ("request", ["pending", None]),
        ("confirm", [None, "1"]),
        ("request", [None, "1"]),
        ("withdraw", [None, "1"]),
        ("clear", [None, None]),
    ]
    for change, left in changes:
        do.flag(change)
        assert client.mget(flags) == left
        assert all(3_590 < client.ttl(flag) <= 3_600 for flag in flags if client.exists(flag))


def test_an_unclaimed_attempt_is_taken_and_ended_once(do: Caller) -> None:
    do.want()
    assert [do.end(end).reason for end in (TAKEN, LOST)] == ["CANCELLED", "CANCELLED"]
    job = do.seen()
    assert (job.claim.by_operator, job.claim.owner, job.alive) == (True, "operator: cancelled", False)
    assert (job.end.outcome, job.end.message) == (Outcome.CANCELLED, TAKEN.message)
    assert do.claim().code is ClaimCode.DUPLICATE
    do.end(LOST, attempt_of("lost", 1), is_lost=True)
    assert do.seen("lost").claim.owner == "operator: worker lost"


def test_an_attempt_that_is_ended_before_it_was_sent_supersedes_the_earlier_one(do: Caller) -> None:
    do.want()
    do.claim()
    do.finish(end=End(Outcome.FAILED, "WORKER_ERROR"))
    assert do.end(TAKEN, attempt_of("job", 2)).outcome is Outcome.CANCELLED
    record = do.seen().record
    assert (record.attempt, record.begun) == (attempt_of("job", 2), True)
    assert do.claim(RUN | {"attempt": attempt_of("job", 2)}).code is ClaimCode.DUPLICATE
    assert do.end(LOST, TASK) is None  # a newer attempt is wanted


def test_an_end_without_a_record_expires_unless_a_record_follows(do: Caller, client: redis.Redis) -> None:
    do.end(TAKEN)
    assert (do.seen().record, do.seen().end.reason) == (None, "CANCELLED")
    assert 604_790_000 < client.pttl("job:job") <= config.settings.PROTOCOL_RETENTION_SECONDS * 1000
    do.want()
    assert (do.seen().record.attempt.queue, do.seen().end.reason, client.pttl("job:job")) == ("celery", "CANCELLED", -1)


def test_an_end_is_forced_on_a_silent_attempt_only(do: Caller, client: redis.Redis) -> None:
    do.want()
    do.claim()
    assert do.end(LOST, is_lost=True) is None
    client.delete("alive:job")
    assert do.end(TAKEN) is None
    end = do.end(LOST, is_lost=True)
    assert (end.outcome, end.reason, end.message) == (Outcome.FAILED, "WORKER_LOST", LOST.message)
    assert do.end(TAKEN) == do.seen().end == end


def test_the_first_reason_of_a_stop_counts_unless_the_attempt_has_ended(do: Caller) -> None:
    do.want(job_id="over")
    do.end(TAKEN, attempt_of("over", 1))
    do.order(operator_calls.request_stop, attempt=attempt_of("over", 1), reason=StopReason.SUSPEND)
    assert do.seen("over").stop is None
    do.want()
    for reason in (StopReason.SUSPEND, StopReason.DELETED):
        do.order(operator_calls.request_stop, attempt=TASK, reason=reason)
    assert do.seen().stop is StopReason.SUSPEND
    do.want(2)
    do.order(operator_calls.request_stop, attempt=TASK, reason=StopReason.SUSPEND)
    assert do(reads.observe, [("job", 2)]).jobs[0].stop is None


def test_a_forgotten_job_leaves_nothing_unless_a_silent_worker_may_return(do: Caller, client: redis.Redis) -> None:
    do.want()
    do.claim()
    assert do.order(operator_calls.forget, job_id="job") is False
    client.mset({"cancel:job": "1", "cancel_request:job": "pending"})
    do.finish(end=End(Outcome.CANCELLED))
    do(worker_calls.mark_cleaned, "job")
    assert do.order(operator_calls.forget, job_id="job") is True
    assert client.keys("*") == ["fence:install"]


@pytest.mark.parametrize("by", ["an end", "the next attempt"])
def test_a_worker_whose_attempt_was_taken_from_it_stops_although_its_job_is_forgotten(
    do: Caller, client: redis.Redis, by: str
) -> None:
    do.want()
    do.claim()
    client.delete("alive:job")
    if by == "an end":
        do.end(LOST, is_lost=True)
    do.want(2)
    do.end(TAKEN, attempt_of("job", 2))
    for _ in range(2):
        assert do.order(operator_calls.forget, job_id="job") is True
        assert set(client.keys("*")) == {"fence:install", "job:job"}
    assert 0 < client.ttl("job:job") <= config.settings.PROTOCOL_RETENTION_SECONDS
    assert (do.seen(), do.beat().owned) == (ObservedJob(), False)
    do.want(3)  # the object is back, from a backup
    assert (do.seen().record.attempt.number, client.ttl("job:job")) == (3, -1)


def test_every_look_is_counted_and_fewer_than_are_known_begin_another_epoch(do: Caller) -> None:
    first = do.order(operator_calls.open_epoch, run_id="run-1")
    assert do(reads.observe, [("job", 1)]).looks == LookCounts(1, 2)
    same = do.order(operator_calls.open_epoch, run_id="run-1", known_looks=2)
    other = do.order(operator_calls.open_epoch, run_id="run-1", known_looks=9)
    assert (first.looks, same.looks, other.looks) == (LookCounts(0, 1), LookCounts(2, 3), LookCounts(9, 10))
    assert (first.id == same.id, same.id == other.id) == (True, False)
    assert do.order(operator_calls.open_epoch, run_id="run-2").id != other.id  # the server was restarted


@pytest.mark.parametrize(
    "change", [{"id": "x" * 65}, {"started_at": "x"}, {"started_at": 7_000_000_000_000}, {"run_id": "x"}], ids=str
)
def test_a_malformed_epoch_is_replaced(do: Caller, client: redis.Redis, change: dict[str, Any]) -> None:
    client.hset("epoch", mapping={"id": "old", "run_id": "run", "started_at": 1} | change)
    epoch = do.order(operator_calls.open_epoch, run_id="run")
    assert epoch.id != "old"
    assert abs(client.time()[0] - epoch.started_at.timestamp()) < 60


def test_without_a_valid_epoch_or_without_memory_no_look_is_counted(do: Caller, client: redis.Redis) -> None:
    do.want()
    client.hset("epoch", mapping={"id": "x" * 65, "looks": 7})
    assert do(reads.observe, [("job", 1)]).looks == LookCounts(7, 7)
    do.claim()
    assert client.hget("job:job", "epoch") == ""

    do.order(operator_calls.open_epoch, run_id="run")
    client.config_set("maxmemory", 1)
    try:
        assert do(reads.observe, [("job", 1)]).looks == LookCounts(8, 8)
    finally:
        client.config_set("maxmemory", 0)
