"""The operator's calls: an example of each script. tests/real/protocol makes random ones."""

from collections.abc import Callable
from typing import Any

import pytest
import redis
from reconstruction_operator import config
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import End, Record
from reconstruction_operator.state import calls, fields, operator_calls, reads, worker_calls
from reconstruction_operator.state.calls import DeposedError
from reconstruction_operator.state.replies import ClaimVerdict
from reconstruction_operator.state.timeline import LookCounts

from tests.support.protocol.caller import PLACE, TASK, Caller
from tests.support.protocol.contents import Contents

LOST = End(Outcome.FAILED, "WORKER_LOST", "silent for 10 s")
TAKEN = End(Outcome.CANCELLED, "CANCELLED", "before a worker had begun")
OTHER: dict[str, Any] = {"fence": 1, "install_id": "other"}
ORDERS: list[tuple[Callable[..., calls.Call[Any]], dict[str, Any]]] = [
    (operator_calls.put_record, {**PLACE, "attempt": 1}),
    (operator_calls.mark_sent, {"job_id": "job", "attempt": 1}),
    (operator_calls.request_cancel, {"job_id": "job"}),
    (operator_calls.assert_cancelled, {"job_id": "job"}),
    (operator_calls.withdraw_request, {"job_id": "job"}),
    (operator_calls.clear_flags, {"job_id": "job"}),
    (operator_calls.take_claim, {"task": TASK, "end": TAKEN}),
    (operator_calls.request_stop, {"task": TASK, "reason": StopReason.SUSPEND}),
    (operator_calls.force_end, {"task": TASK, "end": LOST}),
    (operator_calls.forget, {"job_id": "job", "attempts": 2}),
    (operator_calls.open_epoch, {"run_id": "run"}),
    (operator_calls.index_records, {"job_ids": ["job"]}),
    (operator_calls.drop_folders, {"job_ids": ["job"]}),
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
    assert do.want(3, queue="celery-high") == Record("install", "ns", "a-name", 3, "celery-high")
    assert do.want(2).attempt == 3
    assert do.seen().record.queue == "celery-high"
    assert do(reads.list_records, "install") == ("job",)


def test_an_attempt_too_far_ahead_to_be_ours_is_replaced(do: Caller, client: redis.Redis) -> None:
    for ahead, valid in ((fields.MAX_AHEAD, 1 + fields.MAX_AHEAD), (fields.MAX_AHEAD + 1, 1)):
        client.hset("job:job", mapping={"attempt": 1 + ahead, "queue": "celery"})
        assert do.want().attempt == valid


def test_names_in_any_language_survive_in_a_record(do: Caller) -> None:
    record = do.want(namespace='n/"\\', name="名前 ö")
    assert (record.namespace, record.name) == ('n/"\\', "名前 ö")


def test_what_was_sent_is_noted_in_the_record_of_its_attempt(do: Caller) -> None:
    do.order(operator_calls.mark_sent, job_id="job", attempt=1)  # without a record
    do.want(2)
    for attempt in (1, 3):
        do.order(operator_calls.mark_sent, job_id="job", attempt=attempt)
    assert do.want(2).sent_at is None
    for attempt, orders in ((2, 1), (3, 2)):  # an order to delete files may be of an attempt that was never sent
        do.order(operator_calls.mark_sent, job_id="job", attempt=attempt, is_order=True)
        assert (do.want(2).orders, do.want(2).sent_at is None) == (orders, False)
    do.order(operator_calls.mark_sent, job_id="job", attempt=2)
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
    do(operator_calls.put_record, **OTHER, **PLACE, attempt=1)
    do.order(operator_calls.index_records, job_ids=["job", "no-record"])
    assert do(reads.list_records, "install") == ("job",)
    assert client.hget("job:job", "install_id") == "install"


def test_a_cancel_is_requested_withdrawn_confirmed_and_cleared(do: Caller, client: redis.Redis) -> None:
    flags = ("cancel_request:job", "cancel:job")
    for order, left in (
        (operator_calls.request_cancel, ["pending", None]),
        (operator_calls.withdraw_request, [None, None]),
        (operator_calls.request_cancel, ["pending", None]),
        (operator_calls.assert_cancelled, [None, "1"]),
        (operator_calls.request_cancel, [None, "1"]),
        (operator_calls.withdraw_request, [None, "1"]),
        (operator_calls.clear_flags, [None, None]),
    ):
        do.order(order, job_id="job")
        assert client.mget(flags) == left


def test_an_unclaimed_attempt_is_taken_and_ended_once(do: Caller) -> None:
    do.want()
    assert [do.order(operator_calls.take_claim, task=TASK, end=end) for end in (TAKEN, LOST)] == [True, True]
    job = do.seen()
    assert (job.claim.by_operator, job.claim.owner, job.alive) == (True, "operator: cancelled", False)
    assert (job.end.outcome, job.end.message) == (Outcome.CANCELLED, TAKEN.message)
    assert do.claim().verdict is ClaimVerdict.DUPLICATE
    do.order(operator_calls.force_end, task=TaskId("lost", 1), end=LOST)
    assert do.seen("lost").claim.owner == "operator: worker lost"


def test_an_end_is_forced_on_a_silent_attempt_only(do: Caller, client: redis.Redis) -> None:
    do.want()
    do.claim()
    assert do.order(operator_calls.take_claim, task=TASK, end=TAKEN) is False
    assert do.order(operator_calls.force_end, task=TASK, end=LOST) is None
    client.delete("alive:job-1")
    end = do.order(operator_calls.force_end, task=TASK, end=LOST)
    assert (end.outcome, end.reason, end.message) == (Outcome.FAILED, "WORKER_LOST", LOST.message)
    assert do.order(operator_calls.force_end, task=TASK, end=TAKEN) == do.seen().end == end


def test_claims_ends_and_stops_of_the_operator_expire_and_show_the_end(do: Caller, client: redis.Redis) -> None:
    do.order(operator_calls.request_stop, task=TASK, reason=StopReason.SUSPEND)
    do.order(operator_calls.take_claim, task=TASK, end=TAKEN)
    do.order(operator_calls.force_end, task=TaskId("lost", 1), end=LOST)
    keys = [*client.keys("claim:*"), *client.keys("end:*"), *client.keys("stop:*")]
    assert [client.pttl(key) > 604_790_000 for key in keys] == [True] * 5
    assert [client.hget(key, "ended") for key in client.keys("claim:*")] == ["1", "1"]


def test_the_first_reason_of_a_stop_counts_unless_the_attempt_has_ended(do: Caller) -> None:
    for reason in (StopReason.SUSPEND, StopReason.DELETED):
        do.order(operator_calls.request_stop, task=TASK, reason=reason)
    assert do.seen().stop is StopReason.SUSPEND
    do.order(operator_calls.take_claim, task=TaskId("over", 1), end=TAKEN)
    do.order(operator_calls.request_stop, task=TaskId("over", 1), reason=StopReason.SUSPEND)
    assert do.seen("over").stop is None


def test_forgetting_a_job_keeps_an_end_that_a_lost_worker_has_not_seen(do: Caller, client: redis.Redis) -> None:
    do.want()
    do.claim()
    assert do.order(operator_calls.forget, job_id="job", attempts=1) is False
    client.delete("alive:job-1")
    for attempt in (1, 2, 3):
        do.want(attempt)
        do.order(operator_calls.request_stop, task=TaskId("job", attempt), reason=StopReason.SUSPEND)
        do.order(operator_calls.force_end, task=TaskId("job", attempt), end=TAKEN)
    client.mset({"cancel:job": "1", "cancel_request:job": "pending"})
    do(worker_calls.mark_cleaned, "job")
    assert do.order(operator_calls.forget, job_id="job", attempts=3) is True
    assert set(client.keys("*")) == {"fence:install", "claim:job-1", "end:job-1"}
    assert all(
        0 < client.ttl(f"{kind}:job-1") <= config.settings.PROTOCOL_RETENTION_SECONDS for kind in ("claim", "end")
    )
    assert not do.beat().owned
    do.want(1_000_000)  # of so many, the newest are looked at
    assert do.order(operator_calls.forget, job_id="job", attempts=1_000_000) is True


def test_every_look_is_counted_and_fewer_than_are_known_begin_another_epoch(do: Caller) -> None:
    first = do.order(operator_calls.open_epoch, run_id="run-1")
    assert do(reads.observe, [("job", TASK)]).looks == LookCounts(1, 2)
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
    assert do(reads.observe, [("job", TASK)]).looks == LookCounts(7, 7)
    do.claim()
    assert client.hget("claim:job-1", "epoch") is None

    do.order(operator_calls.open_epoch, run_id="run")
    client.config_set("maxmemory", 1)
    try:
        assert do(reads.observe, [("job", TASK)]).looks == LookCounts(8, 8)
    finally:
        client.config_set("maxmemory", 0)
