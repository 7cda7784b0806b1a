"""Directory descriptors: a path is opened without following links, and after that only open directories are used."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest
from reconstruction_operator.transfer.folders.directories import Directory


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Directory]:
    """A folder with a file, a folder with a file, a link to a folder, and a link to a file."""
    (tmp_path / "own" / "sub").mkdir(parents=True)
    (tmp_path / "own" / "file").write_bytes(b"content")
    (tmp_path / "own" / "sub" / "file").write_bytes(b"content")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "secret").write_bytes(b"secret")
    (tmp_path / "own" / "link").symlink_to(tmp_path / "other")
    (tmp_path / "own" / "file-link").symlink_to(tmp_path / "other" / "secret")
    with Directory.open(tmp_path / "own", create=False) as opened:
        yield opened


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("linked", ["a", "a/folder"])
def test_a_link_in_the_path_is_not_followed(linked: str, create: bool, tmp_path: Path) -> None:
    (tmp_path / "a" / "folder").mkdir(parents=True)
    (tmp_path / linked).rename(tmp_path / "moved")
    (tmp_path / linked).symlink_to(tmp_path / "moved")

    with pytest.raises(NotADirectoryError):
        Directory.open(tmp_path / "a" / "folder", create=create)


def test_folders_that_exist_are_opened_without_making_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    make, names = os.mkdir, []

    def as_on_nfs(name: str, *, dir_fd: int) -> None:
        """Raise "permission denied", and not "exists", in a folder that the user may not write to."""
        names.append(name)
        if name not in ("b", "c"):
            raise PermissionError(name)
        make(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", as_on_nfs)
    with Directory.open(tmp_path / "a" / "b" / "c", create=True):
        assert names == ["b", "c"]


LEADING_OUT: dict[str, Callable[[Directory], object]] = {
    "enter a link": lambda folder: folder.enter("link"),
    "read a link": lambda folder: folder.read("file-link", 99),
    "create behind a link": lambda folder: folder.create(PurePosixPath("link/new"), 0o600),
    "create over a link": lambda folder: folder.create(PurePosixPath("file-link"), 0o600),
    "make a folder behind a link": lambda folder: folder.make_below(PurePosixPath("link/new")),
}


@pytest.mark.parametrize("what", LEADING_OUT)
def test_nothing_is_read_or_written_behind_a_link(what: str, folder: Directory) -> None:
    with pytest.raises(OSError):  # ENOTDIR, ELOOP or EEXIST
        LEADING_OUT[what](folder)
    assert [path.name for path in (folder.path.parent / "other").iterdir()] == ["secret"]


def test_a_link_is_deleted_and_moved_as_itself(folder: Directory) -> None:
    with folder.enter("sub") as sub:
        folder.rename("file-link", sub, "moved")
        assert (sub.path / "moved").is_symlink()
    folder.delete("link")
    folder.delete("sub")

    assert folder.names() == ["file"]
    assert (folder.path.parent / "other" / "secret").read_bytes() == b"secret"


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        pytest.param("file", 7, True, id="a file"),
        pytest.param("sub/file", 7, True, id="a file below"),
        pytest.param("file", 8, False, id="another size"),
        pytest.param("missing", 0, False, id="missing"),
        pytest.param("link/secret", 6, False, id="behind a link"),
        pytest.param("\0", 0, False, id="no name"),
    ],
)
def test_files_count_in_full_size_and_not_behind_links(name: str, size: int, expected: bool, folder: Directory) -> None:
    assert folder.has_files([(name, size)]) is expected


def test_a_directory_is_identified_by_itself_and_not_by_its_path(folder: Directory) -> None:
    with folder.enter("sub") as sub:
        assert folder.leads_to("sub", sub)
        folder.rename("sub", folder, "renamed")
        folder.make("sub")
        assert not folder.leads_to("sub", sub)
        assert folder.leads_to("renamed", sub)
    assert not folder.leads_to("missing", folder)
