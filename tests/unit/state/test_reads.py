"""Reads: what is left out of their replies, and unexpected replies. The scripts: tests/real/state."""

from __future__ import annotations

import pytest
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.state import reads
from reconstruction_operator.state.calls import UnexpectedReplyError
from reconstruction_operator.state.fields import MAX_AHEAD

KEYS = Keys()
TASK = TaskId("job", 2)


@pytest.mark.parametrize(("attempt", "is_ours"), [("x", False), (2 + MAX_AHEAD, True), (3 + MAX_AHEAD, False)])
def test_a_record_that_cannot_be_ours_is_ignored(attempt: object, is_ours: bool) -> None:
    values = [[str(attempt), "celery", *[None] * 8], [None] * 5, [None], [None] * 3, [None], -2, -2, 0]
    (job,) = reads.observe(KEYS, [("job", TASK)]).read(["1", ["epoch", 3, 4], values]).jobs
    assert (job.record is not None) is is_ours


@pytest.mark.parametrize("reply", [None, [], ["1"], ["1", ["epoch", 1, 2]], ["1", ["epoch", 1], [[]]]])
def test_an_unexpected_reply_is_an_error(reply: object) -> None:
    with pytest.raises(UnexpectedReplyError):
        reads.observe(KEYS, [("job", TASK)]).read(reply)


def test_the_index_of_records_is_sorted_and_without_unsafe_names() -> None:
    assert reads.list_records(KEYS, "install").read(["b", "a", "../c", ""]) == ("a", "b")


def test_heartbeats_come_in_the_order_of_the_attempts() -> None:
    call = reads.with_heartbeat(KEYS, [TASK, TaskId("other", 1)])

    assert call.keys == (KEYS.alive("job-2"), KEYS.alive("other-1"))
    assert call.read([0, 1]) == (False, True)
    with pytest.raises(UnexpectedReplyError):
        call.read([1])
