"""The operator's calls, one situation a test."""

from collections.abc import Callable
from typing import Any

import pytest
import redis
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import End, Record
from reconstruction_operator.state import calls, operator_calls, reads, worker_calls
from reconstruction_operator.state.errors import DeposedError
from reconstruction_operator.state.replies import ClaimVerdict
from reconstruction_operator.state.timeline import LookCounts

from tests.support.protocol.caller import PLACE, TASK, Caller
from tests.support.protocol.state import State

LOST = End(Outcome.FAILED, "WORKER_LOST", "silent for 10 s")
TAKEN = End(Outcome.CANCELLED, "CANCELLED", "before a worker had begun")


# --- Fences

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
]


@pytest.mark.parametrize(("make", "what"), ORDERS, ids=[make.__name__ for make, _ in ORDERS])
def test_a_deposed_operator_is_refused_and_changes_nothing(
    do: Caller, client: redis.Redis, make: Callable[..., calls.Call[Any]], what: dict[str, Any]
) -> None:
    do(operator_calls.open_epoch, fence=9, install_id="install", run_id="run-of-the-new-one")
    client.set("cancel_request:job", "pending")
    before = State.of(client)
    with pytest.raises(DeposedError, match="fence is 5, but 9 was seen"):
        do.order(make, **what)
    assert State.of(client).values == before.values


@pytest.mark.parametrize(("make", "what"), ORDERS, ids=[make.__name__ for make, _ in ORDERS])
def test_every_call_of_a_new_leader_raises_the_fence(
    do: Caller, client: redis.Redis, make: Callable[..., calls.Call[Any]], what: dict[str, Any]
) -> None:
    do(make, fence=5, install_id="install", **what)
    do(make, fence=6, install_id="install", **what)
    assert client.get("fence:install") == "6"


@pytest.mark.parametrize("junk", ["many", "", "-3", "1e9", "inf", "nan", "0x20", "9" * 40])
def test_a_fence_that_is_not_a_number_is_replaced(do: Caller, client: redis.Redis, junk: str) -> None:
    client.set("fence:install", junk)
    do.order(operator_calls.open_epoch, run_id="run")
    assert client.get("fence:install") == "5"


def test_each_install_has_its_own_fence(do: Caller) -> None:
    do(operator_calls.open_epoch, fence=9, install_id="other", run_id="run")
    do(operator_calls.open_epoch, fence=1, install_id="install", run_id="run")


# --- Records


def test_a_record_is_put_and_listed(do: Caller, client: redis.Redis) -> None:
    record = do.want(1, queue="celery-high")
    assert record == Record("install", "ns", "a-name", 1, "celery-high")
    assert do.seen().record == record
    assert do(reads.list_records, "install") == ("job",)
    assert client.ttl("job:job") == -1


def test_the_wanted_attempt_never_decreases(do: Caller) -> None:
    do.want(3)
    assert do.want(2, queue="other").attempt == 3
    assert do.seen().record == Record("install", "ns", "a-name", 3, "celery")


def test_sending_is_noted_and_kept_when_the_record_is_put_again(do: Caller) -> None:
    do.want(1)
    do.order(operator_calls.mark_sent, job_id="job", attempt=1)
    sent_at = do.seen().record.sent_at
    assert sent_at is not None
    assert do.want(1).sent_at == sent_at
    assert do.want(2).sent_at is None


def test_orders_to_delete_files_are_counted_until_the_next_attempt(do: Caller) -> None:
    def put(attempt: int) -> int:
        return int(do.want(attempt).orders)

    assert put(1) == 0
    for orders in (1, 2):
        do.order(operator_calls.mark_sent, job_id="job", attempt=1, is_order=True)
        assert put(1) == orders
    assert put(2) == 0
    do.order(operator_calls.mark_sent, job_id="job", attempt=2, is_order=True)
    do.order(operator_calls.mark_sent, job_id="job", attempt=2)
    assert put(2) == 0


def test_orders_of_an_attempt_that_was_never_sent_count_in_the_earlier_record(do: Caller) -> None:
    do.want(2)
    do.order(operator_calls.mark_sent, job_id="job", attempt=1, is_order=True)
    assert do.seen().record == Record("install", "ns", "a-name", 2, "celery")
    for orders in (1, 2):
        do.order(operator_calls.mark_sent, job_id="job", attempt=3, is_order=True)
        record = do.seen().record
        assert (record.attempt, record.orders, record.sent_at is None) == (2, orders, False)


@pytest.mark.parametrize("attempt", [1, 3])
def test_sending_another_attempt_than_the_wanted_one_is_not_noted(do: Caller, attempt: int) -> None:
    do.want(2)
    do.order(operator_calls.mark_sent, job_id="job", attempt=attempt)
    record = do.seen().record
    assert record.sent_at is None


def test_sending_without_a_record_writes_nothing(do: Caller, client: redis.Redis) -> None:
    do.order(operator_calls.mark_sent, job_id="job", attempt=1)
    assert client.keys("*") == ["fence:install"]


def test_names_in_any_language_survive_in_a_record(do: Caller) -> None:
    record = do.order(
        operator_calls.put_record, job_id="job", namespace='n/"\\', name="名前 ö", attempt=1, queue="celery"
    )
    assert (record.namespace, record.name) == ('n/"\\', "名前 ö")


# --- Flags


def test_a_request_after_the_confirmation_changes_nothing(do: Caller, client: redis.Redis) -> None:
    do.order(operator_calls.assert_cancelled, job_id="job")
    do.order(operator_calls.request_cancel, job_id="job")
    assert not client.exists("cancel_request:job")


def test_a_request_and_a_confirmation_are_renewed(do: Caller, client: redis.Redis) -> None:
    client.set("cancel_request:job", "pending", ex=5)
    do.order(operator_calls.request_cancel, job_id="job")
    assert (client.get("cancel_request:job"), client.ttl("cancel_request:job")) == ("pending", 3600)
    client.set("cancel:job", "1", ex=5)
    do.order(operator_calls.assert_cancelled, job_id="job")
    assert (client.get("cancel:job"), client.ttl("cancel:job")) == ("1", 3600)
    assert not client.exists("cancel_request:job")


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        pytest.param(operator_calls.assert_cancelled, {"job_id": "job"}, id="a confirmed cancel"),
        pytest.param(
            operator_calls.request_stop, {"task": TaskId("job", 1), "reason": StopReason.SUSPEND}, id="a stop"
        ),
    ],
)
def test_what_interrupts_a_run_is_published_in_the_same_script(
    call: Any, arguments: dict[str, Any], do: Caller, client: redis.Redis, keys: Keys
) -> None:
    with client.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(keys.interruptions())
        heard.get_message(timeout=5.0)
        do.order(call, **arguments)
        message = heard.get_message(timeout=5.0)
    assert message["data"] == "job"


def test_an_account_that_may_not_publish_can_still_cancel(do: Caller, client: redis.Redis) -> None:
    client.execute_command("ACL", "SETUSER", "default", "resetchannels")
    try:
        do.order(operator_calls.assert_cancelled, job_id="job")
    finally:
        client.execute_command("ACL", "SETUSER", "default", "allchannels")
    assert client.get("cancel:job") == "1"


def test_a_withdrawal_never_touches_a_confirmation(do: Caller, client: redis.Redis) -> None:
    do.order(operator_calls.assert_cancelled, job_id="job")
    do.order(operator_calls.withdraw_request, job_id="job")
    assert client.get("cancel:job") == "1"


def test_clearing_deletes_both_flags(do: Caller, client: redis.Redis) -> None:
    client.set("cancel:job", "1")
    client.set("cancel_request:job", "pending")
    do.order(operator_calls.clear_flags, job_id="job")
    assert not client.exists("cancel:job", "cancel_request:job")


# --- Ends by the operator


def test_an_unclaimed_attempt_is_taken_and_ended(do: Caller) -> None:
    do.want(1)
    assert do.order(operator_calls.take_claim, task=TASK, end=TAKEN) is True
    now = do.seen()
    assert (now.claim.by_operator, now.claim.owner, now.alive) == (True, "operator: cancelled", False)
    assert (now.end.outcome, now.end.message) == (Outcome.CANCELLED, TAKEN.message)
    assert do.claim().verdict is ClaimVerdict.DUPLICATE


def test_taking_a_claim_again_succeeds_and_keeps_the_first_end(do: Caller) -> None:
    do.order(operator_calls.take_claim, task=TASK, end=TAKEN)
    first = do.seen().end
    assert do.order(operator_calls.take_claim, task=TASK, end=LOST) is True
    assert do.seen().end == first


def test_the_claim_of_a_worker_is_not_taken(do: Caller) -> None:
    do.want(1)
    do.claim()
    assert do.order(operator_calls.take_claim, task=TASK, end=TAKEN) is False
    assert do.seen().end is None


def test_an_end_is_forced_on_a_silent_attempt(do: Caller, client: redis.Redis) -> None:
    do.want(1)
    do.claim()
    client.delete("alive:job-1")
    end = do.order(operator_calls.force_end, task=TASK, end=LOST)
    assert (end.outcome, end.reason, end.message) == (Outcome.FAILED, "WORKER_LOST", LOST.message)
    assert do.seen().end == end


def test_no_end_is_forced_on_an_attempt_that_is_alive_after_all(do: Caller) -> None:
    do.want(1)
    do.claim()
    assert do.order(operator_calls.force_end, task=TASK, end=LOST) is None
    assert do.seen().end is None


def test_an_end_that_the_worker_recorded_first_counts(do: Caller) -> None:
    do.want(1)
    do.claim()
    mine = do.finish().end
    assert do.order(operator_calls.force_end, task=TASK, end=LOST) == mine


def test_an_end_forced_on_an_unclaimed_attempt_takes_the_claim(do: Caller) -> None:
    do.want(1)
    do.order(operator_calls.force_end, task=TASK, end=LOST)
    assert do.claim().verdict is ClaimVerdict.DUPLICATE


def test_the_first_reason_of_a_stop_counts(do: Caller) -> None:
    do.order(operator_calls.request_stop, task=TASK, reason=StopReason.SUSPEND)
    do.order(operator_calls.request_stop, task=TASK, reason=StopReason.DELETED)
    assert do.seen().stop is StopReason.SUSPEND


def test_an_attempt_that_has_ended_is_not_stopped(do: Caller) -> None:
    do.order(operator_calls.take_claim, task=TASK, end=TAKEN)
    do.order(operator_calls.request_stop, task=TASK, reason=StopReason.SUSPEND)
    assert do.seen().stop is None


# --- Forgetting


def test_a_forgotten_job_leaves_nothing_but_the_fence(do: Caller, client: redis.Redis) -> None:
    for attempt in (1, 2, 3):
        task = TaskId("job", attempt)
        do.want(attempt)
        do.order(operator_calls.request_stop, task=task, reason=StopReason.SUSPEND)
        do.order(operator_calls.take_claim, task=task, end=TAKEN)
    client.set("cancel:job", "1")
    client.set("cancel_request:job", "pending")
    do(worker_calls.mark_cleaned, "job")
    assert do.order(operator_calls.forget, job_id="job", attempts=3) is True
    assert client.keys("*") == ["fence:install"]


def test_a_job_that_still_runs_is_not_forgotten(do: Caller) -> None:
    do.want(1)
    do.claim()
    assert do.order(operator_calls.forget, job_id="job", attempts=1) is False
    assert do.beat().owned


def test_a_job_with_thousands_of_attempts_can_be_forgotten(do: Caller) -> None:
    do.want(1_000_000)
    assert do.order(operator_calls.forget, job_id="job", attempts=1_000_000) is True
    assert do.seen().record is None


# --- Epochs


def test_the_epoch_stays_while_the_server_runs(do: Caller) -> None:
    first = do.order(operator_calls.open_epoch, run_id="run-1")
    assert do.order(operator_calls.open_epoch, run_id="run-1").id == first.id
    assert first.started_at <= first.now


def test_fewer_looks_than_are_known_begin_another_epoch(do: Caller, client: redis.Redis) -> None:
    do.order(operator_calls.open_epoch, run_id="run-1")
    client.hset("epoch", mapping={"id": "old", "started_at": 1, "looks": 7})

    assert do.order(operator_calls.open_epoch, run_id="run-1", known_looks=7).id == "old"
    epoch = do.order(operator_calls.open_epoch, run_id="run-1", known_looks=9)

    assert (epoch.id != "old", epoch.looks) == (True, LookCounts(9, 10))


def test_every_look_is_counted(do: Caller) -> None:
    first = do.order(operator_calls.open_epoch, run_id="run-1").looks
    second = do(reads.observe, [("job", TASK)]).looks
    third = do.order(operator_calls.open_epoch, run_id="run-1").looks

    assert (first, second, third) == (LookCounts(0, 1), LookCounts(1, 2), LookCounts(2, 3))


def test_a_malformed_epoch_counts_no_look_and_is_not_noted_in_a_claim(do: Caller, client: redis.Redis) -> None:
    do.want()
    client.hset("epoch", mapping={"id": "x" * 65, "looks": 7})

    assert do(reads.observe, [("job", TASK)]).looks == LookCounts(7, 7)
    do.claim()

    assert client.hget("claim:job-1", "epoch") is None
    assert client.hget("epoch", "looks") == "7"


def test_a_redis_that_refuses_writes_can_be_read_and_counts_no_look(do: Caller, client: redis.Redis) -> None:
    do.order(operator_calls.open_epoch, run_id="run-1")
    client.config_set("maxmemory", 1)
    try:
        looks = do(reads.observe, [("job", TASK)]).looks
    finally:
        client.config_set("maxmemory", 0)
    assert looks == LookCounts(1, 1)


@pytest.mark.parametrize("change", ["restarted", "emptied", "malformed"])
def test_a_new_epoch_begins_if_redis_may_have_lost_keys(do: Caller, client: redis.Redis, change: str) -> None:
    do.order(operator_calls.open_epoch, run_id="run-1")
    client.hset("epoch", mapping={"id": "old", "started_at": 1})
    if change == "emptied":
        client.flushdb()
    elif change == "malformed":
        client.hset("epoch", "started_at", "x")
    epoch = do.order(operator_calls.open_epoch, run_id="run-2" if change == "restarted" else "run-1")
    assert epoch.id != "old"
    assert epoch.started_at == epoch.now


# --- What another install left


def test_records_that_are_indexed_again_are_ours(do: Caller, client: redis.Redis) -> None:
    do(operator_calls.put_record, fence=1, install_id="other", **PLACE, attempt=1)

    do.order(operator_calls.index_records, job_ids=["job", "no-record"])

    assert do(reads.list_records, "install") == ("job",)
    assert client.hget("job:job", "install_id") == "install"
