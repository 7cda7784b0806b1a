"""Transfer pool: several objects at once, each retried until all transfers have stalled."""

from __future__ import annotations

import threading

import pytest
from obstore.exceptions import GenericError
from obstore.store import S3Store
from reconstruction_operator.transfer.objects import concurrency
from reconstruction_operator.transfer.objects.concurrency import Clock, TransferPool, call


def test_a_transfer_stalls_if_nothing_is_transferred_for_too_long() -> None:
    now = [0.0]
    clock = Clock(10.0, lambda: now[0])
    now[0] = 9.0
    clock.moved(1)
    now[0] = 19.0
    assert not clock.has_stalled
    now[0] = 19.1
    assert clock.has_stalled


def test_several_objects_are_transferred_at_once() -> None:
    together = threading.Barrier(3, timeout=30)
    clock = Clock(60.0)
    TransferPool(lambda _: together.wait() and None, clock, 3).run(range(3), lambda: None)
    assert clock.objects == 3


def test_a_temporary_error_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "_PAUSE_SECONDS", 0.0)
    tries: list[int] = []

    def work() -> str:
        tries.append(1)
        if len(tries) < 2:
            raise GenericError("HTTP error")
        return "done"

    assert call(work, Clock(60.0), lambda: None) == "done"
    assert len(tries) == 2


def test_the_last_error_is_raised_once_the_clock_has_stalled() -> None:
    def work() -> None:
        raise GenericError("HTTP error")

    with pytest.raises(GenericError):
        call(work, Clock(0.2), lambda: None)


def test_a_final_error_ends_all_transfers() -> None:
    pool: TransferPool[int]

    def work(number: int) -> None:
        if number == 1:
            raise PermissionError(13, "refused")
        pool.stopping.wait(30)
        pool.moved(1)

    pool = TransferPool(work, Clock(60.0), 2)
    with pytest.raises(PermissionError):
        pool.run(range(2), lambda: None)
    assert pool.stopping.is_set()


def test_a_panic_of_the_client_ends_all_transfers_at_once() -> None:
    store = S3Store("photos", endpoint="not an address", access_key_id="a", secret_access_key="b", region="c")
    with pytest.raises(RuntimeError, match="PanicException: request valid"):
        call(lambda: list(store.list()), Clock(600.0), lambda: None)
