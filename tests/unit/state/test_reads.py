"""Reads: what they request, and how the replies are read. The scripts, on a real Redis: tests/real/state/test_reads.py."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import Claim, End, ObservedJob, Record
from reconstruction_operator.state import reads
from reconstruction_operator.state.errors import UnexpectedReplyError
from reconstruction_operator.state.replies import WorkerInfo
from reconstruction_operator.state.timeline import LookCounts

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = Keys()
TASK = TaskId("job", 2)


def ms(time: datetime) -> str:
    return str(int(time.timestamp() * 1000))


def seen(
    *,
    attempt: str | None = "2",
    sent_at: datetime = NOW,
    token: str | None = "token",  # noqa: S107 -- of a claim
    epoch: str = "epoch",
    alive: str | None = "token",
    end: list[str | None] | None = None,
    stop: str | None = None,
    ttls: tuple[int, int] = (-2, -2),
    cleaned: int = 0,
) -> ObservedJob:
    """What is read of a job of attempt 2, from the values of its keys."""
    values = [
        [attempt, "celery", "install", "team", "banana", ms(sent_at), "1", None, None, None],
        [token, "worker-1", ms(NOW), epoch, None],
        [alive],
        end or [None, None, None],
        [stop],
        *ttls,
        cleaned,
    ]
    (job,) = reads.observe(KEYS, [("job", TASK)]).read([ms(NOW), ["epoch", 3, 4], values]).jobs
    return job


def test_one_call_names_the_eight_keys_of_each_job_and_then_the_epoch() -> None:
    call = reads.observe(KEYS, [("a", TaskId("a", 1)), ("b", TaskId("b", 7))])

    assert call.script.name == "observe"
    assert len(call.keys) == 2 * 8 + 1
    assert (call.keys[0], call.keys[9], call.keys[-1]) == (KEYS.record("a"), KEYS.claim("b-7"), KEYS.epoch())


def test_a_snapshot_has_its_time_its_looks_and_the_jobs_in_order() -> None:
    found = reads.observe(KEYS, [("job", TASK)]).read(
        [ms(NOW), ["epoch", 3, 4], [[None], [None], [None], [None], [None], -2, -2, 0]]
    )

    assert (found.now, found.looks, found.jobs) == (NOW, LookCounts(3, 4), (ObservedJob(),))


def test_a_running_job_has_record_claim_and_heartbeat() -> None:
    job = seen(stop="Suspend")

    assert job.record == Record("install", "team", "banana", 2, "celery", NOW, orders=1)
    assert job.claim == Claim("token", "worker-1", by_operator=False, at=NOW, epoch="epoch")
    assert (job.alive, job.heard, job.stop, job.end) == (True, True, StopReason.SUSPEND, None)


@pytest.mark.parametrize(
    ("values", "alive"),
    [
        pytest.param({"alive": "another"}, False, id="another run's heartbeat"),
        pytest.param({"alive": None}, False, id="none"),
        pytest.param({"token": None}, False, id="no claim"),
        pytest.param({"epoch": "earlier"}, False, id="a claim of an earlier epoch"),
        pytest.param({"epoch": ""}, True, id="a claim that names no epoch"),
    ],
)
def test_an_attempt_is_alive_if_its_claimant_sends_heartbeats(values: dict[str, Any], alive: bool) -> None:
    assert seen(**values).alive == alive


@pytest.mark.parametrize(
    ("ttls", "expected"),
    [
        pytest.param((-2, -2), (False, False, None), id="none"),
        pytest.param((3_000, -2), (True, False, 3.0), id="requested"),
        pytest.param((3_000, 5_000), (True, True, 5.0), id="and confirmed"),
        pytest.param((-2, -1), (False, True, None), id="without a TTL"),
    ],
)
def test_flags_come_with_the_ttl_of_the_later_step(ttls: tuple[int, int], expected: tuple[Any, ...]) -> None:
    job = seen(ttls=ttls)
    assert (job.requested, job.confirmed, job.flag_ttl_seconds) == expected


@pytest.mark.parametrize(
    "attempt", [pytest.param("x", id="malformed"), pytest.param(str(2 + 10**6 + 1), id="absurdly far ahead")]
)
def test_a_record_that_cannot_be_ours_is_ignored(attempt: str) -> None:
    assert seen(attempt=attempt).record is None


def test_a_message_of_the_day_after_tomorrow_was_not_sent() -> None:
    record = seen(sent_at=NOW + timedelta(days=2)).record
    assert record is not None
    assert record.sent_at is None


def test_an_end_is_never_in_the_future() -> None:
    job = seen(end=["Failed", ms(NOW + timedelta(hours=1)), json.dumps({"reason": "TIMEOUT", "message": "late"})])
    assert job.end == End(Outcome.FAILED, "TIMEOUT", "late", NOW)


@pytest.mark.parametrize("reply", [None, [], ["1"], ["1", ["epoch", 1, 2]], ["1", ["epoch", 1], [[]]]])
def test_an_unexpected_reply_is_an_error(reply: object) -> None:
    with pytest.raises(UnexpectedReplyError):
        reads.observe(KEYS, [("job", TASK)]).read(reply)


def test_the_index_of_records_is_sorted_and_without_unsafe_names() -> None:
    assert reads.list_records(KEYS, "install").read(["b", "a", "../c", ""]) == ("a", "b")


def test_a_malformed_report_of_a_folder_is_a_record_without_an_install() -> None:
    report = {"attempt": 2, "queue": "celery", "install_id": "install", "namespace": "team", "name": "banana"}
    pairs = ["job", json.dumps(report), "other", "{", "../x", json.dumps(report), "bool", json.dumps({**report, "attempt": True})]  # fmt: skip

    found = reads.list_folders(KEYS, "install").read(pairs)
    assert found["job"] == Record("install", "team", "banana", 2, "celery")
    assert {found[name].install_id for name in ("other", "../x", "bool")} == {""}


def test_workers_are_sorted_and_malformed_ones_left_out() -> None:
    info = {"queues": ["celery", 7], "models": "none", "version": "1.0", "concurrency": 0}
    found = reads.live_workers(KEYS).read(["w2", json.dumps(info), "w1", json.dumps(info), "w3", "[]"])

    assert [one.node for one in found] == ["w1", "w2"]
    assert found[0] == WorkerInfo(node="w1", queues=("celery",), models=(), version="1.0", concurrency=1)


def test_heartbeats_come_in_the_order_of_the_attempts() -> None:
    call = reads.with_heartbeat(KEYS, [TASK, TaskId("other", 1)])

    assert call.keys == (KEYS.alive("job-2"), KEYS.alive("other-1"))
    assert call.read([0, 1]) == (False, True)
    with pytest.raises(UnexpectedReplyError):
        call.read([1])
