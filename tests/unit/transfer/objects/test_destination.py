"""Delivery destination: which attempt may move the pointer, and foreign objects in its place."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from obstore.exceptions import PermissionDeniedError
from obstore.store import MemoryStore
from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import layout
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.objects.destination import Destination, Standing
from reconstruction_operator.transfer.objects.layout import Pointer
from reconstruction_operator.transfer.runs import DeliveringRun

from tests.support.refs import make_attempt

KEY = "banana/result.json"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def destination(store: MemoryStore) -> Destination:
    address = ObjectAddress("s3", "meshes", "banana", is_folder=True)
    return Destination(store, address, DeliveringRun(make_attempt("job1"), None))


def test_a_run_of_the_same_attempt_that_has_taken_over_keeps_its_pointer(
    destination: Destination, store: MemoryStore
) -> None:
    successor = Pointer("job1", 1, "job1/1-b/")
    checks: list[int] = []

    def check() -> None:
        checks.append(1)
        if len(checks) > 1:
            raise SupersededError
        store.put(KEY, successor.to_bytes())  # just after the first check

    with pytest.raises(SupersededError):
        destination.point(Pointer("job1", 1, "job1/1-a/"), Standing(), check)
    assert destination.standing().pointer == successor


def test_a_large_object_in_place_of_the_pointer_is_foreign_and_not_read(
    destination: Destination, store: MemoryStore
) -> None:
    store.put(KEY, Pointer("job1", 1, "job1/1-a/").to_bytes() + bytes(layout.MAX_POINTER_BYTES))
    standing = destination.standing()
    assert standing.version is not None
    with pytest.raises(StorageError, match="is not a result of this operator"):
        destination.refuse_others(standing)


class _Endless:
    """A folder of more objects than can be listed."""

    def __init__(self, below: str = "") -> None:
        self._below = below

    def list(self, prefix: str, *, chunk_size: int) -> Iterator[list[dict[str, Any]]]:
        return ([{"path": f"{prefix}/{self._below}{number}.jpg", "size": chunk_size}] for number in itertools.count())


def test_a_foreign_object_is_found_without_a_list_of_all(destination: Destination) -> None:
    with pytest.raises(StorageError, match=r"OUTPUT_REFUSED: .* \(it contains '0\.jpg'\)"):
        replace(destination, store=_Endless()).refuse_others(Standing())


def test_a_withdrawal_deletes_the_first_objects_before_it_lists_all(destination: Destination) -> None:
    pages = replace(destination, store=_Endless("1-a/")).outdated("")
    assert next(pages) == ["banana/job1/1-a/0.jpg"]


class _Guarded:
    """A bucket in which some requests are refused."""

    def __init__(self, *refused: str) -> None:
        self._refused = refused

    def put(self, *_: object, **__: object) -> None:
        self._ask("put")

    def delete(self, _: object) -> None:
        self._ask("delete")

    def _ask(self, name: str) -> None:
        if name in self._refused:
            raise PermissionDeniedError("Server returned non-2xx status code: 403 Forbidden: <Code>AccessDenied</Code>")


def test_a_probe_reports_a_bucket_in_which_nothing_may_be_deleted(destination: Destination) -> None:
    with pytest.raises(StorageError) as caught:
        replace(destination, store=_Guarded("delete")).probe()
    assert caught.value.reason == "OUTPUT_REFUSED"
    assert caught.value.message == (
        "s3://meshes/banana/ cannot be cleared of objects: the server rejects the workers' credentials (403 "
        "AccessDenied)"
    )
