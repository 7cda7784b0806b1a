"""Clean-up turns: one clean-up at a time in a worker."""

from __future__ import annotations

import threading

import pytest
from reconstruction_operator.worker.deleting import turns
from reconstruction_operator.worker.deleting.process import DeletionProcess


def test_orders_during_a_clean_up_take_no_slot_and_are_carried_out_after_it() -> None:
    begun, released, done = threading.Event(), threading.Event(), []

    def clean_up(job_id: str, _: DeletionProcess, *, retain_seconds: int | None = None) -> None:
        begun.set()
        assert released.wait(30.0)
        done.append(job_id)

    first = threading.Thread(target=turns.take, args=("job-0", clean_up))
    first.start()
    assert begun.wait(30.0)
    for number in (1, 2, 3, 1):
        turns.take(f"job-{number}", clean_up)  # returns at once
    assert done == []
    released.set()
    first.join()
    assert done == ["job-0", "job-1", "job-2", "job-3"]


def test_a_failure_is_raised_for_the_job_of_the_order_and_logged_for_others(caplog: pytest.LogCaptureFixture) -> None:
    done = []

    def clean_up(job_id: str, _: DeletionProcess, *, retain_seconds: int | None = None) -> None:
        if job_id == "mine":
            turns.take("other", clean_up)
        done.append(job_id)
        raise OSError(f"{job_id}'s disk is broken")

    with pytest.raises(OSError, match="mine's disk is broken"):
        turns.take("mine", clean_up)
    assert done == ["mine", "other"]
    assert "could not clean up job other: other's disk is broken" in caplog.text


def test_a_long_turn_ends_and_the_next_order_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    done = []

    def clean_up(job_id: str, _: DeletionProcess, *, retain_seconds: int | None = None) -> None:
        if job_id == "job-0":
            for number in (1, 2):
                turns.take(f"job-{number}", clean_up)
            monkeypatch.setattr(turns.time, "monotonic", lambda: 1e9)
        done.append(job_id)

    with monkeypatch.context() as patched:
        turns.take("job-0", clean_up)
        patched.undo()
    assert done == ["job-0"]
    turns.take("job-3", clean_up)
    assert done == ["job-0", "job-1", "job-2", "job-3"]
