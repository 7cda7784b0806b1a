"""Concurrency: several objects at once, and the end of all transfers after the first error."""

from __future__ import annotations

import threading

import pytest
from obstore.store import S3Store
from reconstruction_operator.transfer.objects.concurrency import Progress


def test_several_objects_are_transferred_at_once() -> None:
    together = threading.Barrier(3, timeout=30)
    progress = Progress()

    def work(number: int) -> None:
        together.wait()
        progress.moved(number, objects=1)

    progress.in_parallel(work, range(3), 3)
    assert (progress.objects, progress.bytes) == (3, 3)


def test_an_error_ends_all_transfers() -> None:
    progress = Progress()
    begun = list[int]()

    def work(number: int) -> None:
        begun.append(number)
        if number == 1:
            raise PermissionError(13, "refused")
        progress.stopping.wait(30)
        progress.moved(1)

    with pytest.raises(PermissionError):
        progress.in_parallel(work, range(9), 2)
    assert progress.bytes == 0
    assert len(begun) < 9


def test_a_panic_of_the_client_ends_all_transfers() -> None:
    store = S3Store("photos", endpoint="not an address", access_key_id="a", secret_access_key="b", region="c")
    with pytest.raises(BaseException, match="request valid"):  # a PanicException, which cannot be imported
        Progress().in_parallel(lambda _: list(store.list()), [1], 1)
