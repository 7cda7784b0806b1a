"""Object download: no partial files, nothing without space on the disk, and no mix of two versions."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from obstore.store import MemoryStore
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import downloading
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.objects.request import Connection, FetchRequest

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult

ADDRESS = ObjectAddress("s3", "photos", "set", is_folder=True)


def request(kept: Path) -> FetchRequest:
    return FetchRequest(ADDRESS, kept, max_bytes=1 << 20, max_files=10, connection=Connection(5.0, 2, ""))


def test_a_disk_without_room_is_noticed_before_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    store.put("set/a.jpg", b"12345")
    full = os.statvfs_result((4096, 4096, 100, 0, 0, 100, 100, 100, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    with pytest.raises(OSError, match=r"No space left") as caught:
        downloading.fetch(store, request(tmp_path), lambda *_: None)
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_flushes_slowly_does_not_count_as_a_stall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    store.put("set/a.jpg", b"12345")
    flushing, reports = threading.Event(), threading.Semaphore(0)
    fsync = os.fsync

    def flush(file: int) -> None:
        flushing.set()
        for _ in range(5):  # each 0.1 s
            assert reports.acquire(timeout=60)
        fsync(file)

    monkeypatch.setattr(os, "fsync", flush)
    wanted = replace(request(tmp_path), connection=Connection(0.2, 2, ""))
    (one,) = downloading.fetch(store, wanted, lambda *_: flushing.is_set() and reports.release()).fetched
    assert (tmp_path / one.file).read_bytes() == b"12345"


class _Forgetful:
    """A server without If-Match."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def list(self, prefix: str | None, *, chunk_size: int) -> Any:
        return self._store.list(prefix, chunk_size=chunk_size)

    def get(self, key: str, *, options: GetOptions) -> GetResult:
        return self._store.get(key, options={name: one for name, one in options.items() if name != "if_match"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("server", "changed"),
    [
        pytest.param(lambda store: store, b"another", id="a server with If-Match"),
        pytest.param(_Forgetful, b"other", id="a server without it, and content of the same size"),
    ],
)
def test_an_object_that_changes_while_it_is_read_is_not_kept(
    server: Callable[[MemoryStore], Any], changed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    store.put("set/a.jpg", b"12345")
    stat = os.statvfs

    def change(path: str) -> os.statvfs_result:  # called after the listing
        store.put("set/a.jpg", changed)
        return stat(path)

    monkeypatch.setattr(os, "statvfs", change)
    with pytest.raises(StorageError, match=r"INPUT_UNREACHABLE: a\.jpg in s3://photos/set/ changed while it was read"):
        downloading.fetch(server(store), request(tmp_path), lambda *_: None)
    assert [path.suffix for path in tmp_path.iterdir()] in ([], [downloading.PARTIAL])


class _WithoutTags(_Forgetful):
    """A server whose lists have no ETags."""

    def list(self, prefix: str | None, *, chunk_size: int) -> Any:
        return [[{**one, "e_tag": None} for one in page] for page in super().list(prefix, chunk_size=chunk_size)]


def test_objects_whose_list_has_no_etags_are_fetched(tmp_path: Path) -> None:
    store = MemoryStore()
    store.put("set/a.jpg", b"12345")
    (one,) = downloading.fetch(_WithoutTags(store), request(tmp_path), lambda *_: None).fetched  # type: ignore[arg-type]
    assert (tmp_path / one.file).read_bytes() == b"12345"


def test_a_fetch_that_is_no_longer_wanted_ends(tmp_path: Path) -> None:
    store = MemoryStore()
    store.put("set/a.jpg", b"12345")

    class UnwantedError(BaseException):
        pass

    def stop(objects: int, of_objects: int, _count: int, _of_count: int) -> None:
        if of_objects:
            raise UnwantedError

    with pytest.raises(UnwantedError):
        downloading.fetch(store, request(tmp_path), stop)
