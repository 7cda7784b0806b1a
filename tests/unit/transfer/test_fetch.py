"""Inputs: which photos are copied, and which locations a worker refuses (path traversal, TOCTOU)."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from reconstruction_operator.contract.fingerprint import KnownInput
from reconstruction_operator.transfer import digests, uris
from reconstruction_operator.transfer import fetch as inputs
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.names import Fetched

from tests.support.archives import zipped
from tests.support.photos import make_photo


def fetch(uri: str, into: Path, limits: Limits) -> Fetched:
    return inputs.fetch(uri, into, into.with_name("fetched"), limits, lambda *_: None)


def fill(folder: Path, **files: bytes) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_photos_of_a_folder_are_copied_in_natural_order(into: Path, limits: Limits) -> None:
    folder = fill(limits.roots[0] / "set", b10_jpg=b"ten", b9_jpg=b"nine", README_txt=b"text")
    fetched = fetch(f"file://{folder}", into, limits)
    assert [(path.name, path.read_bytes()) for path in fetched.photos] == [("b9.jpg", b"nine"), ("b10.jpg", b"ten")]
    assert fetched.ignored.text == "1 other file ignored: 1 .txt"
    assert sorted(path.name for path in folder.iterdir()) == ["README.txt", "b10.jpg", "b9.jpg"]


def test_photos_of_a_known_folder_are_not_copied(into: Path, limits: Limits) -> None:
    folder = fill(limits.roots[0] / "set", a_jpg=b"first", b_jpg=b"second")
    contents = {"a.jpg": partial(io.BytesIO, b"first"), "b.jpg": partial(io.BytesIO, b"second")}
    known = KnownInput(digests.of_photos(contents, lambda *_: None), images=2, bytes=11)
    fetched = fetch(f"file://{folder}", into, replace(limits, known=(known,)))
    assert (fetched.photos, fetched.digest, list(into.iterdir())) == ((), known.digest, [])


def test_subfolders_are_read_unless_hidden(into: Path, limits: Limits) -> None:
    folder = fill(limits.roots[0], left__a_jpg=b"1", right__a_jpg=b"2")
    fill(folder / ".thumbnails", a_jpg=b"3")
    assert [path.name for path in fetch(f"file://{folder}", into, limits).photos] == ["left_a.jpg", "right_a.jpg"]


def test_folder_with_blanks_and_umlauts_is_found(into: Path, limits: Limits) -> None:
    fill(limits.roots[0] / "Größe 2", a_jpg=b"1")
    uri = f"file://{limits.roots[0]}/Gr%C3%B6%C3%9Fe%202"
    assert len(fetch(uri, into, limits).photos) == 1


def test_links_are_followed_only_if_they_stay_inside(tmp_path: Path, into: Path, limits: Limits) -> None:
    secret = fill(tmp_path / "secret", a_jpg=b"secret")
    folder = fill(limits.roots[0] / "set", a_jpg=b"1")
    (folder / "b.jpg").symlink_to(folder / "a.jpg")
    (folder / "c.jpg").symlink_to(secret / "a.jpg")
    (folder / "d").symlink_to(secret)
    (folder / "e.jpg").symlink_to("/dev/zero")
    os.mkfifo(folder / "f.jpg")
    fetched = fetch(f"file://{folder}", into, limits)
    assert [path.name for path in fetched.photos] == ["a.jpg", "b.jpg"]
    followed = "only links to files in the same folder or below it are followed"
    assert fetched.ignored.text == f"3 other files ignored: 3 links ({followed})"


def test_folder_replaced_by_a_link_while_it_is_read_is_refused(tmp_path: Path, into: Path, limits: Limits) -> None:
    secret = fill(tmp_path / "secret", a_jpg=b"secret")
    folder = fill(limits.roots[0] / "set", a_jpg=b"1")

    def exchange(_fraction: float, _text: str) -> None:
        if not folder.is_symlink():
            folder.rename(tmp_path / "set-before")
            folder.symlink_to(secret)

    with pytest.raises(StorageError, match=r"INPUT_REFUSED: .*/set/a\.jpg was replaced while it was read"):
        inputs.fetch(f"file://{folder}", into, into.with_name("fetched"), limits, exchange)
    assert all(path.read_bytes() == b"" for path in into.iterdir())


def test_link_that_changes_after_it_was_resolved_is_refused(
    tmp_path: Path, into: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(limits.roots[0] / "set", a_jpg=b"1")
    link = limits.roots[0] / "link"
    link.symlink_to(fill(tmp_path / "secret", a_jpg=b"secret"))

    def resolved(path: Path, _reason: str) -> Path:
        real = path.resolve()
        link.unlink()
        link.symlink_to(limits.roots[0] / "set")
        return real

    monkeypatch.setattr(uris, "resolved", resolved)
    with pytest.raises(StorageError, match=r"INPUT_REFUSED: .* is not in a folder"):
        fetch(f"file://{link}", into, limits)


@pytest.mark.parametrize("what", ["a pipe", "a link", "a folder that is a link", "nothing"])
def test_archive_replaced_after_it_was_checked_is_not_read(
    what: str, tmp_path: Path, into: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = fill(tmp_path / "secret", set_zip=b"secret")
    archive = fill(limits.roots[0] / "mine", set_zip=b"PK") / "set.zip"
    looked_up = uris.lies_below

    def exchange(real: Path, folders: Iterable[Path]) -> bool:
        answers = looked_up(real, folders)
        archive.unlink()
        if what == "a pipe":
            os.mkfifo(archive)
            monkeypatch.setattr(Path, "is_file", lambda _: True)
        elif what == "a link":
            archive.symlink_to(secret / "set.zip")
        elif what == "a folder that is a link":
            archive.parent.rmdir()
            archive.parent.symlink_to(secret)
        else:
            monkeypatch.setattr(Path, "is_file", lambda _: True)
            monkeypatch.setattr(Path, "exists", lambda _: True)
        return answers

    monkeypatch.setattr(uris, "lies_below", exchange)
    with pytest.raises(StorageError) as caught:
        fetch(f"file://{archive}", into, limits)
    expected = (
        ("INPUT_NOT_FOUND", f"archive file://{archive} cannot be read: No such file or directory")
        if what == "nothing"
        else ("INPUT_REFUSED", f"file://{archive} was replaced while it was read")
    )
    assert (caught.value.reason, caught.value.message) == expected


@pytest.mark.parametrize(
    ("uri", "reason", "text"),
    [
        pytest.param("", "INPUT_NOT_FOUND", "names no input", id="nothing"),
        pytest.param("/photos/banana", "INPUT_REFUSED", "has no scheme", id="a plain path"),
        pytest.param("file://{root}/missing", "INPUT_NOT_FOUND", "there is no", id="a missing folder"),
        pytest.param("file:///etc", "INPUT_REFUSED", "is not in a folder", id="outside the roots"),
        pytest.param("file://{root}/../secret", "INPUT_REFUSED", "is not in a folder", id="dots"),
        pytest.param("file://{root}/link", "INPUT_REFUSED", "is not in a folder", id="a link out of the roots"),
        pytest.param("file://{root}-2/set", "INPUT_REFUSED", "is not in", id="a longer name than the root's"),
        pytest.param("file://{jobs}/other/output", "INPUT_REFUSED", "is not in", id="another job's folder"),
        pytest.param("file://server/photos", "INPUT_REFUSED", "names the machine server", id="another machine"),
        pytest.param("file:photos", "INPUT_REFUSED", "not an absolute path", id="a relative path"),
        pytest.param("file://{root}/a%00b", "INPUT_REFUSED", "not an absolute path", id="a zero byte"),
        pytest.param("file://{root}/a?b", "INPUT_REFUSED", "%3F", id="a question mark"),
        pytest.param("s3://bucket/set", "INPUT_REFUSED", "s3:// is not enabled", id="another scheme"),
        pytest.param("http://localhost/a.zip", "INPUT_REFUSED", "http:// is not read", id="without TLS"),
        pytest.param("https://[::1", "INPUT_REFUSED", "an invalid URI", id="half an address"),
        pytest.param("https://host:99999/a.zip", "INPUT_REFUSED", "not a URI", id="an invalid port"),
        pytest.param("file://{root}/notes.txt", "INPUT_REFUSED", "neither a folder nor an archive", id="a text file"),
    ],
)
def test_refused_location_has_a_reason(
    uri: str, reason: str, text: str, *, tmp_path: Path, into: Path, limits: Limits
) -> None:
    fill(tmp_path / "secret", a_jpg=b"secret")
    fill(tmp_path / "photos-2" / "set", a_jpg=b"secret")
    fill(limits.jobs_dir / "other" / "output", a_jpg=b"secret")
    (limits.roots[0] / "link").symlink_to(tmp_path / "secret")
    (limits.roots[0] / "notes.txt").write_text("notes")
    with pytest.raises(StorageError) as caught:
        fetch(uri.format(root=limits.roots[0], jobs=limits.jobs_dir), into, limits)
    assert (caught.value.reason, text in caught.value.message) == (reason, True), caught.value.message
    assert list(into.iterdir()) == []


@pytest.mark.parametrize("below", ["", "/jobs/other/output"], ids=["above them", "one of them"])
def test_job_folders_are_not_read_even_below_a_root(below: str, into: Path, limits: Limits) -> None:
    root = limits.jobs_dir.parent
    fill(limits.jobs_dir / "other" / "output", a_jpg=b"secret")
    fill(limits.roots[0], mine_jpg=b"mine")
    with pytest.raises(StorageError, match="INPUT_REFUSED"):
        fetch(f"file://{root}{below}", into, replace(limits, roots=(root,)))


@pytest.mark.parametrize(
    ("files", "text"),
    [
        pytest.param({f"n{n}_txt": b"" for n in range(21)}, "more than 20 files", id="files"),
        pytest.param({f"{n}_jpg": b"x" * 600_000 for n in "ab"}, "2 photos in .* have 1 MB", id="bytes"),
    ],
)
def test_too_many_files_or_bytes_are_refused_with_the_limit(
    files: dict[str, bytes], text: str, into: Path, limits: Limits
) -> None:
    folder = fill(limits.roots[0] / "set", **files)
    with pytest.raises(StorageError, match=text):
        fetch(f"file://{folder}", into, limits)


def test_archive_in_an_input_root_is_unpacked_into_one_flat_folder(into: Path, limits: Limits) -> None:
    archive = limits.roots[0] / "set.zip"
    archive.write_bytes(zipped(("set/1/a.jpg", make_photo()), ("set/2/a.jpg", make_photo()), ("set/x.nef", b"")))
    fetched = fetch(f"file://{archive}", into, limits)
    assert [path.relative_to(into).as_posix() for path in fetched.photos] == ["1_a.jpg", "2_a.jpg"]
    assert fetched.ignored.text == "1 other file ignored: 1 .nef"
    assert fetched.ignored.unread == "1 .nef (camera RAW)"
    assert sorted(path.name for path in into.iterdir()) == ["1_a.jpg", "2_a.jpg"]


def test_messages_name_folders_as_jobs_do_and_never_their_real_paths(
    tmp_path: Path, into: Path, limits: Limits
) -> None:
    real = tmp_path / "mnt" / "nas"
    real.mkdir(parents=True)
    aliased = replace(
        limits, roots=(real,), aliases=((Path("/photos"), real),), namespace="maps", granted=("/photos/maps",)
    )
    for uri, message in {
        "file:///etc/banana": "file:///etc/banana is not in a folder that this worker may read (/photos)",
        "file:///photos/a": "namespace maps may not read file:///photos/a: this worker allows it only /photos/maps",
        "file:///photos/maps/a": "there is no file:///photos/maps/a on this worker",
    }.items():
        with pytest.raises(StorageError) as caught:
            fetch(uri, into, aliased)
        assert caught.value.message == message
