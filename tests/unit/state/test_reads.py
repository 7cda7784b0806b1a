"""Reads: what is left out of their replies, and unexpected replies. The scripts: tests/real/state."""

from __future__ import annotations

import pytest
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import ObservedJob
from reconstruction_operator.state import reads
from reconstruction_operator.state.calls import UnexpectedReplyError
from reconstruction_operator.state.fields import JOB_FIELDS, MAX_AHEAD

KEYS = Keys()

HELD = {"queue": "celery", "token": "t", "stop": "Suspend", "outcome": "Stopped"}


def observed(attempt: object, *, asked: int | None) -> ObservedJob:
    """What is read of a job whose hash is about that attempt."""
    texts = [(HELD | {"attempt": str(attempt)}).get(name) for name in JOB_FIELDS]
    (job,) = reads.observe(KEYS, [("job", asked)]).read(["1", ["epoch", 3, 4], [texts, "t", -2, -2]]).jobs
    return job


@pytest.mark.parametrize(("attempt", "is_ours"), [("x", False), (2 + MAX_AHEAD, True), (3 + MAX_AHEAD, False)])
def test_a_record_that_cannot_be_ours_is_ignored(attempt: object, is_ours: bool) -> None:
    assert (observed(attempt, asked=2).record is not None) is is_ours


@pytest.mark.parametrize(
    ("attempt", "asked", "is_asked"), [(2, 2, True), (2, None, True), (3, 2, False), (1, 2, False)]
)
def test_claim_end_and_stop_are_those_of_the_attempt_that_was_asked_for(
    attempt: int, asked: int | None, is_asked: bool
) -> None:
    job = observed(attempt, asked=asked)
    assert job.record is not None
    assert (job.record.attempt.job_id, job.record.attempt.number) == ("job", attempt)
    assert [part is not None for part in (job.claim, job.end, job.stop)] == [is_asked] * 3


@pytest.mark.parametrize("reply", [None, [], ["1"], ["1", ["epoch", 1, 2]], ["1", ["epoch", 1], [[]]]])
def test_an_unexpected_reply_is_an_error(reply: object) -> None:
    with pytest.raises(UnexpectedReplyError):
        reads.observe(KEYS, [("job", 2)]).read(reply)


def test_the_index_of_records_is_sorted_and_without_unsafe_names() -> None:
    assert reads.list_records(KEYS, "install").read(["b", "a", "../c", ""]) == ("a", "b")


def test_heartbeats_come_in_the_order_of_the_jobs() -> None:
    call = reads.with_heartbeat(KEYS, ["job", "other"])

    assert call.keys == (KEYS.alive("job"), KEYS.alive("other"))
    assert call.read([None, "token"]) == (False, True)
    with pytest.raises(UnexpectedReplyError):
        call.read([1])
