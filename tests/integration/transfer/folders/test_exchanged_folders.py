"""A tenant that replaces its folder by a link, at any moment, never redirects a delivery or a deletion."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.folders.delivery import FolderTarget
from reconstruction_operator.transfer.folders.directories import Directory
from reconstruction_operator.transfer.runs import DeliveringRun

from tests.support.refs import make_attempt
from tests.support.results import JOB, seal
from tests.support.settings import configure

RUN = DeliveringRun(make_attempt(JOB), folder=None)
URI_FOLDER = "a/folder"
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Outputs of the namespaces a and b, and in a's own folder a link to that of b."""
    root = tmp_path / "meshes"
    (root / URI_FOLDER).mkdir(parents=True)
    (root / "b").mkdir()
    (root / "a" / "link").symlink_to(root / "b")
    configure(
        monkeypatch,
        OUTPUT_ROOTS=(str(root),),
        NAMESPACE_OUTPUTS=(("*", f"{root}/{{namespace}}"),),
        JOBS_DIR=str(tmp_path / "jobs"),
    )
    return root


@pytest.fixture
def result(tmp_path: Path) -> Path:
    return seal(tmp_path / "result", {"model.glb": b"content", "textures/a.png": b"content"})


@contextlib.contextmanager
def exchanging(folder: Path, other: Path) -> Iterator[None]:
    """Exchanges the two in a loop, as fast as the system can."""
    libc = ctypes.CDLL(None)
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            libc.renameat2(_AT_FDCWD, bytes(folder), _AT_FDCWD, bytes(other), _RENAME_EXCHANGE)

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_no_delivery_lands_behind_a_link_that_is_swapped_in(root: Path, result: Path) -> None:
    delivered = 0
    with exchanging(root / "a" / "folder", root / "a" / "link"):
        for number in range(500):
            with contextlib.suppress(StorageError, SupersededError):
                FolderTarget(f"file://{root}/{URI_FOLDER}/{number}", "a").deliver(result, RUN, lambda: None)
                delivered += 1
    assert everything(root / "b") == []
    assert delivered


def test_no_withdrawal_deletes_behind_a_link_that_is_swapped_in(root: Path, result: Path) -> None:
    """The other namespace's folder contains what could be a copy of the same job."""
    for folder in ("a/folder", "b"):
        FolderTarget(f"file://{root}/{folder}/banana", folder[0]).deliver(result, RUN, lambda: None)
    before = everything(root / "b")
    with exchanging(root / "a" / "folder", root / "a" / "link"):
        for _ in range(500):
            with contextlib.suppress(StorageError, SupersededError):
                FolderTarget(f"file://{root}/{URI_FOLDER}/banana", "a").withdraw(RUN)
    assert everything(root / "b") == before


def test_a_link_inside_of_a_copy_that_is_made_is_not_followed(
    root: Path, result: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_below = Directory.make_below

    def make_and_exchange(folder: Directory, path: Path) -> None:  # as a tenant that sees the folder appear
        make_below(folder, path)
        os.rmdir(path, dir_fd=folder.fd)
        os.symlink(root / "b", path, dir_fd=folder.fd)

    monkeypatch.setattr(Directory, "make_below", make_and_exchange)
    with pytest.raises(NotADirectoryError):
        FolderTarget(f"file://{root}/{URI_FOLDER}/banana", "a").deliver(result, RUN, lambda: None)
    assert everything(root / "b") == []
