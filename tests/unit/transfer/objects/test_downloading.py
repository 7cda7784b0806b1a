"""Object download: no partial files, nothing without space on the disk, and no mix of two versions."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from obstore.exceptions import GenericError
from obstore.store import MemoryStore
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import downloading
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.objects.concurrency import Progress
from reconstruction_operator.transfer.objects.requests import FetchRequest

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult

ADDRESS = ObjectAddress("s3", "photos", "set", is_folder=True)


def request(kept: Path) -> FetchRequest:
    return FetchRequest(ADDRESS, kept, max_bytes=1 << 20, max_files=10)


def test_a_disk_without_room_is_noticed_before_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    store.put("set/a.jpg", b"12345")
    full = os.statvfs_result((4096, 4096, 100, 0, 0, 100, 100, 100, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    with pytest.raises(OSError, match=r"No space left") as caught:
        downloading.fetch(store, request(tmp_path), Progress())
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


class _Forgetful:
    """A server without If-Match."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def list(self, prefix: str | None, *, chunk_size: int) -> Any:
        return self._store.list(prefix, chunk_size=chunk_size)

    def get(self, key: str, *, options: GetOptions) -> GetResult:
        return self._store.get(key, options={name: option for name, option in options.items() if name != "if_match"})


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
        downloading.fetch(server(store), request(tmp_path), Progress())
    assert [path.suffix for path in tmp_path.iterdir()] in ([], [downloading.PARTIAL])


def test_an_object_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    store = MemoryStore()
    store.put("set/a.jpg", b"12345")
    repeating: Any = SimpleNamespace(list=lambda *_, **__: [[*page, *page] for page in store.list("set")])
    with pytest.raises(StorageError, match=r"INPUT_REFUSED: s3://photos/set/: its server lists an object twice"):
        downloading.fetch(repeating, request(tmp_path), Progress())


class _WithoutTags(_Forgetful):
    """A server whose lists have no ETags."""

    def list(self, prefix: str | None, *, chunk_size: int) -> Any:
        return [[{**listed, "e_tag": None} for listed in page] for page in super().list(prefix, chunk_size=chunk_size)]


def test_objects_whose_list_has_no_etags_are_fetched(tmp_path: Path) -> None:
    store = MemoryStore()
    store.put("set/a.jpg", b"12345")
    (listed,) = downloading.fetch(_WithoutTags(store), request(tmp_path), Progress()).objects
    assert (tmp_path / listed.file).read_bytes() == b"12345"


class _Breaking(_Forgetful):
    """A server that breaks each connection after two bytes, and once after none."""

    def __init__(self, store: MemoryStore, *, after_bytes: int) -> None:
        super().__init__(store)
        self._left = after_bytes

    def get(self, key: str, *, options: GetOptions) -> Any:
        answer = super().get(key, options=options)
        return SimpleNamespace(meta=answer.meta, stream=lambda **_: self._stream(bytes(answer.bytes())))

    def _stream(self, content: bytes) -> Iterator[bytes]:
        count = min(2, self._left)
        self._left -= count
        yield from [content[:count]] if count else []
        if count < len(content):
            raise GenericError("HTTP error: request or response body error")


def test_a_download_continues_as_long_as_each_request_gets_a_part(tmp_path: Path) -> None:
    store = MemoryStore()
    store.put("set/a.jpg", b"12345")
    broken: Any = _Breaking(store, after_bytes=9)
    (listed,) = downloading.fetch(broken, request(tmp_path), Progress()).objects
    assert (tmp_path / listed.file).read_bytes() == b"12345"


def test_a_download_fails_if_a_request_gets_nothing(tmp_path: Path) -> None:
    store = MemoryStore()
    store.put("set/a.jpg", b"12345")
    broken: Any = _Breaking(store, after_bytes=4)
    with pytest.raises(StorageError, match="INPUT_UNREACHABLE"):
        downloading.fetch(broken, request(tmp_path), Progress())
