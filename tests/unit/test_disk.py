"""File system: files of unknown origin are read within bounds, and a deletion ends."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from reconstruction_operator import disk

from tests.support.deep_folders import make_deep


def test_deletion_ends_if_a_folder_lists_an_entry_that_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_nothing(path: Path, *, ignore_errors: bool = False, dir_fd: int | None = None) -> None:
        if not ignore_errors:
            raise FileNotFoundError(path)

    monkeypatch.setattr(shutil, "rmtree", find_nothing)
    with pytest.raises(FileNotFoundError):
        disk.delete_tree(tmp_path, seconds=0.05)


def test_folders_of_any_depth_are_deleted(tmp_path: Path) -> None:
    make_deep(tmp_path / "deep")
    disk.delete_tree(tmp_path / "deep")
    assert list(tmp_path.iterdir()) == []


def test_usage_counts_blocks_and_entries_and_what_a_deletion_frees(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "large").write_bytes(bytes(10_000))
    (tmp_path / "a" / "empty").touch()
    (tmp_path / "a" / "to-etc").symlink_to("/etc")
    with (tmp_path / "a" / "sparse").open("wb") as sparse:
        sparse.truncate(1 << 40)
    (tmp_path / "link").hardlink_to(tmp_path / "a" / "large")
    assert disk.usage(tmp_path) == (2 * 4096 + 2 * 12_288 + 3 * 4096, 3 * 4096)
    assert disk.usage(tmp_path / "missing") == (0, 0)


def test_read_is_bounded_and_never_blocks(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    os.mkfifo(tmp_path / "pipe")
    assert disk.read_regular(tmp_path / "file", 4) == b"0123"
    for name in ("pipe", "missing"):
        with pytest.raises(FileNotFoundError):
            disk.read_regular(tmp_path / name, 4)
    with pytest.raises(IsADirectoryError):
        disk.read_regular(tmp_path, 4)


@pytest.mark.parametrize(
    ("name", "size", "expected"), [("a", 3, True), ("a", 4, False), ("b", 3, False), ("\0", 3, False)]
)
def test_files_exist_only_in_full_size(name: str, size: int, expected: bool, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"123")
    assert disk.has_files(tmp_path, [(name, size)]) is expected


def test_free_bytes_of_a_missing_folder_are_its_parents(tmp_path: Path) -> None:
    free = disk.free_bytes(tmp_path / "not" / "there")
    assert free is not None
    assert free > 0


@pytest.mark.parametrize(
    ("left", "is_short"),
    [
        pytest.param({}, False, id="half-of-it"),
        pytest.param({"f_bavail": 49}, True, id="less-than-a-twentieth"),
        pytest.param({"f_blocks": 1 << 40, "f_bavail": 11 << 18}, False, id="eleven-gibibytes-of-a-large-disk"),
        pytest.param({"f_favail": 4}, True, id="no-inodes"),
        pytest.param({"f_files": 0, "f_favail": 0}, False, id="inodes-without-a-limit"),
    ],
)
def test_a_file_system_is_short_of_bytes_or_inodes(
    left: dict[str, int], is_short: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = {"f_frsize": 4096, "f_blocks": 1000, "f_bavail": 500, "f_files": 100, "f_favail": 50} | left
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(**usage))
    assert disk.is_short(tmp_path) is is_short
