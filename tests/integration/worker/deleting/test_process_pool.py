"""Deletion process pool with real processes: they are shared, end when idle, and start in advance."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from reconstruction_operator.worker.deleting import process_pool
from reconstruction_operator.worker.deleting.process import DeletionProcess
from reconstruction_operator.worker.deleting.process_pool import ProcessPool
from reconstruction_operator.worker.deleting.request import DeletionRequest

LONG_SECONDS = 60.0


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE]


def test_concurrent_deletions_share_a_process(
    jobs_dir: Path, started: list[DeletionProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_SHARE_SECONDS", "_SLOW_SECONDS", "_IDLE_SECONDS"):
        monkeypatch.setattr(process_pool, name, LONG_SECONDS)
    for number in range(8):
        (jobs_dir / f"job-{number}").mkdir()
    shared = ProcessPool()
    with ThreadPoolExecutor(8) as pool:
        done = pool.map(lambda number: shared.perform(DeletionRequest(f"job-{number}"), LONG_SECONDS), range(8))
    assert list(done) == [True] * 8
    assert list(jobs_dir.iterdir()) == []
    assert len(started) == 1
    shared._idle.pop().close()


@pytest.mark.usefixtures("jobs_dir")
def test_an_idle_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_pool, "_IDLE_SECONDS", 0.05)
    before, timers = children(), {*threading.enumerate()}
    shared = ProcessPool()
    assert shared.perform(DeletionRequest("job"), LONG_SECONDS) is False
    for timer in {*threading.enumerate()} - timers:
        timer.join(LONG_SECONDS)
    wait = threading.Event()
    while shared._keeps:  # the timer may have been started again
        wait.wait(0.01)
    assert children() == before


@pytest.mark.usefixtures("jobs_dir")
def test_a_prepared_process_carries_out_the_next_deletion(
    started: list[DeletionProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_pool, "_IDLE_SECONDS", LONG_SECONDS)
    before, shared = children(), ProcessPool()
    for _ in range(3):
        shared.prepare()
    (prepared,) = [one for one in children() if one not in before]

    assert shared.perform(DeletionRequest("job"), LONG_SECONDS) is False
    assert [one for one in children() if one not in before] == [prepared]
    assert len(started) == 1
    shared._idle.pop().close()
