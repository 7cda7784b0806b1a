"""Deletion process pool: how many processes are started, and which deletions share them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from reconstruction_operator.worker.deleting import process_pool
from reconstruction_operator.worker.deleting.process import DeletionProcess
from reconstruction_operator.worker.deleting.process_pool import ProcessPool
from reconstruction_operator.worker.deleting.request import DeletionRequest

LONG_SECONDS = 60.0


class Deletions:
    """Stands in for deletion processes. `begun` counts the deletions; each `proceed` lets one finish."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.proceed = threading.Semaphore(0), threading.Semaphore(0)
        monkeypatch.setattr(DeletionProcess, "perform", self._perform)

    def _perform(self, _request: DeletionRequest, _seconds: float) -> bool:
        self.begun.release()
        return self.proceed.acquire(timeout=LONG_SECONDS)


def test_many_deletions_share_a_process_while_deletions_finish(
    started: list[DeletionProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(process_pool, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(process_pool, "_SLOW_SECONDS", LONG_SECONDS)
    monkeypatch.setattr(process_pool, "_IDLE_SECONDS", LONG_SECONDS)
    deletions, shared = Deletions(monkeypatch), ProcessPool()
    with ThreadPoolExecutor(30) as pool:
        done = pool.map(lambda number: shared.perform(DeletionRequest(f"job-{number}"), LONG_SECONDS), range(30))
        for _ in range(30):  # in total longer than any of them waits for a hung deletion
            assert deletions.begun.acquire(timeout=LONG_SECONDS)
            now[0] += 0.9 * process_pool._SHARE_SECONDS
            deletions.proceed.release()
        assert list(done) == [True] * 30
    assert len(started) == 1


def test_slow_deletions_get_a_few_processes(started: list[DeletionProcess], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_pool, "_SHARE_SECONDS", LONG_SECONDS)
    monkeypatch.setattr(process_pool, "_SLOW_SECONDS", 0.0)
    monkeypatch.setattr(process_pool, "_IDLE_SECONDS", LONG_SECONDS)
    deletions, shared = Deletions(monkeypatch), ProcessPool()
    with ThreadPoolExecutor(30) as pool:
        done = pool.map(lambda number: shared.perform(DeletionRequest(f"job-{number}"), LONG_SECONDS), range(30))
        for _ in range(8):
            assert deletions.begun.acquire(timeout=LONG_SECONDS)
        assert not deletions.begun.acquire(timeout=0.1)
        deletions.proceed.release(30)
        assert list(done) == [True] * 30
    assert len(started) == 8


def test_a_hung_deletion_delays_no_other_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_pool, "_SHARE_SECONDS", 0.01)
    hangs, released = threading.Event(), threading.Event()

    def perform(_: DeletionProcess, request: DeletionRequest, _seconds: float) -> bool:
        if request.job_id == "dead":
            hangs.set()
            released.wait(LONG_SECONDS)
        return True

    monkeypatch.setattr(DeletionProcess, "perform", perform)
    shared = ProcessPool()
    with ThreadPoolExecutor(1) as pool:
        dead = pool.submit(shared.perform, DeletionRequest("dead"), LONG_SECONDS)
        assert hangs.wait(LONG_SECONDS)
        assert shared.perform(DeletionRequest("job"), LONG_SECONDS)
        assert not dead.done()
        released.set()


def test_no_process_is_prepared_while_one_is_busy(
    started: list[DeletionProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_pool, "_IDLE_SECONDS", LONG_SECONDS)
    deletions, shared = Deletions(monkeypatch), ProcessPool()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(shared.perform, DeletionRequest("job"), LONG_SECONDS)
        assert deletions.begun.acquire(timeout=LONG_SECONDS)
        shared.prepare()
        deletions.proceed.release()
        assert done.result() is True
    assert len(started) == 1
