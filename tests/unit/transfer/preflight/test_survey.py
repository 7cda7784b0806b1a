"""Input survey: without copying, it finds the errors that loading would find."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.preflight import peek
from reconstruction_operator.transfer.preflight import survey as surveys

from tests.support import archives
from tests.support.archives import tarred, zipped
from tests.support.photos import make_photo

ZIP = zipped(("a.jpg", make_photo()))


@pytest.fixture
def folder(limits: Limits) -> Path:
    found = limits.roots[0] / "set"
    (found / "sub").mkdir(parents=True)
    (found / "a.jpg").write_bytes(make_photo())
    (found / "sub" / "b.png").write_bytes(make_photo("PNG"))
    (found / "notes.txt").write_text("text")
    return found


def survey(path: Path, limits: Limits) -> surveys.Survey:
    return surveys.survey(f"file://{path}", limits)


def refused(path: Path, limits: Limits) -> tuple[str, str]:
    with pytest.raises(StorageError) as caught:
        survey(path, limits)
    return caught.value.reason, caught.value.message


def test_a_folder_is_counted_and_measured(folder: Path, limits: Limits) -> None:
    found = survey(folder, limits)
    assert (found.count, found.ignored.text) == (2, "1 other file ignored: 1 .txt")
    assert found.bytes == sum(path.stat().st_size for path in folder.rglob("*.[jp]*"))
    assert str(found) == "2 photos, 0 MB, 1 other file ignored: 1 .txt"


def test_masks_do_not_count_as_photos(folder: Path, limits: Limits) -> None:
    (folder / "a.mask.png").write_bytes(make_photo("PNG"))
    assert survey(folder, limits).count == 2


def test_a_broken_photo_is_named_as_loading_would_name_it(folder: Path, limits: Limits) -> None:
    photo = folder / "sub" / "b.png"
    photo.write_bytes(photo.read_bytes()[:-200])
    reason, message = refused(folder, limits)
    assert reason == "CORRUPT_IMAGE"
    assert message.startswith("photo sub/b.png (2 of 2) ")


@pytest.mark.parametrize("name", [b"a\x1b[31m\n.jpg", b"\xff.jpg"], ids=["control characters", "no UTF-8"])
def test_a_broken_photo_with_a_hostile_name_is_shown_without_it(name: bytes, folder: Path, limits: Limits) -> None:
    """A name that writes to terminals and logs, or that no text can hold."""
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"no photo")
    _, message = refused(folder, limits)
    assert message.isprintable()
    assert message.encode().startswith(b"photo ")


def test_a_photo_that_may_not_be_read_is_named(folder: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    assert refused(folder, limits) == (
        "INPUT_NOT_FOUND",
        f"photo a.jpg in file://{folder} cannot be read: Permission denied",
    )


PHOTOS = [(f"set/{number}.jpg", make_photo()) for number in range(20)]


@pytest.mark.parametrize(
    ("content", "count"),
    [
        pytest.param(zipped(*PHOTOS[:18], ("set/masks/0.png", b"x"), ("set/x.txt", b"x")), 18, id="zip"),
        pytest.param(tarred(*PHOTOS[:19], ("set/x.txt", b"x")), 19, id="tar"),
        pytest.param(gzip.compress(tarred(*PHOTOS[:17], ("set/x.txt", b"x"))), 17, id="tar.gz"),
        pytest.param(tarred(*PHOTOS[:3], *PHOTOS[:2]), 3, id="a name twice"),
    ],
)
def test_the_photos_of_an_archive_are_counted_where_that_is_cheap(
    content: bytes, count: int | None, limits: Limits
) -> None:
    path = limits.roots[0] / "set.any"
    path.write_bytes(content)
    found = survey(path, limits)
    assert (found.count, found.bytes) == (count, len(content))


BIG = make_photo("PNG", size=(390, 100))


def packed(*entries: tuple[str, bytes]) -> bytes:
    """A .tar.gz."""
    return gzip.compress(tarred(*entries))


@pytest.mark.parametrize("pack", [zipped, tarred, packed])
@pytest.mark.parametrize(
    ("photo", "reason", "words"),
    [
        pytest.param(b"<html>", "CORRUPT_IMAGE", "photo set/19.jpg (1 of 1) is a web page", id="a page"),
        pytest.param(make_photo(size=(410, 10)), "IMAGE_TOO_LARGE", "has 410 x 10 px", id="large"),
        pytest.param(make_photo()[:-300], "CORRUPT_IMAGE", "is truncated", id="truncated"),
        pytest.param(b"FUJIFILMCCD-RAW" + bytes(200_000), "UNSUPPORTED_FORMAT", "a camera RAW file", id="raw"),
    ],
)
def test_a_photo_in_an_archive_that_would_be_refused_is_refused(
    pack: Callable[..., bytes], photo: bytes, reason: str, words: str, limits: Limits
) -> None:
    path = limits.roots[0] / "set.any"
    path.write_bytes(pack(("set/19.jpg", photo)))
    found, message = refused(path, limits)
    assert found == reason
    assert words in message


def test_a_photo_of_which_only_the_start_was_read_is_accepted(limits: Limits) -> None:
    assert len(BIG) > 65_536
    path = limits.roots[0] / "set.zip"
    path.write_bytes(zipped(("a.png", BIG), method=zipfile.ZIP_STORED))
    assert survey(path, limits).count == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(archives.encrypted_zip(), "is protected by a password", id="a password"),
        pytest.param(zipped(*((f"{n}.jpg", b"") for n in range(21))), "contains more than 20 files", id="many"),
        pytest.param(zipped(("../a.jpg", b"x")), "contains an entry that leads out of it", id="elsewhere"),
        pytest.param(packed(("../a.jpg", b"x")), "contains an entry that leads out of it", id="elsewhere in a tar.gz"),
        pytest.param(
            packed(*((f"{n}.jpg", b"") for n in range(21))), "contains more than 20 files", id="many in a tar.gz"
        ),
        pytest.param(gzip.compress(b"x" * 5_000), "is damaged: ", id="no tar"),
        pytest.param(packed(("a.jpg", os.urandom(5_000)))[:-900], "is damaged: ", id="a truncated tar.gz"),
        pytest.param(b"\x1f\x8bno gzip", "is damaged: ", id="no gzip"),
    ],
)
def test_an_archive_that_is_not_unpacked_is_refused_before(content: bytes, words: str, limits: Limits) -> None:
    path = limits.roots[0] / "set.zip"
    path.write_bytes(content)
    assert words in refused(path, limits)[1]


def test_a_directory_that_is_too_large_is_not_read(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peek, "_MOST_AT_ONCE", 100)
    path = limits.roots[0] / "set.zip"
    path.write_bytes(zipped(*PHOTOS))
    assert survey(path, limits).count is None


BOMB = io.BytesIO()
with tarfile.open(fileobj=BOMB, mode="w", format=tarfile.PAX_FORMAT) as opened:
    member = tarfile.TarInfo("a.jpg")
    member.pax_headers = {"comment": "x" * (9 << 20)}
    opened.addfile(member)


@pytest.mark.parametrize(
    "content", [pytest.param(BOMB.getvalue(), id="tar"), pytest.param(gzip.compress(BOMB.getvalue(), 1), id="tar.gz")]
)
def test_a_header_that_would_cost_much_memory_is_not_read(content: bytes, limits: Limits) -> None:
    path = limits.roots[0] / "set.any"
    path.write_bytes(content)
    assert survey(path, replace(limits, max_bytes=1 << 30)).count is None


def part(*entries: tuple[str, bytes]) -> peek.Peeked:
    """What a peek finds in a .tar.gz of which it reads two blocks."""
    content = packed(*entries, ("last.txt", os.urandom(300_000)), ("never.jpg", b"x"))

    def read_at(place: int, count: int) -> bytes:
        return content[place : place + count]

    return peek.peek(len(content), read_at, "it", max_bytes=1 << 30, max_files=20, most_blocks=2)


def test_the_photos_in_the_part_of_a_tar_gz_that_was_read_are_checked() -> None:
    found = part(("b.jpg", b"b"), ("a.jpg", b"a"), ("x.txt", b"x"))
    assert (found.count, found.ignored.text) == (None, "")
    assert [(one.name, one.start) for one in found.samples] == [("a.jpg", b"a"), ("b.jpg", b"b")]


def test_a_link_in_the_part_of_a_tar_gz_that_was_read_is_refused() -> None:
    with pytest.raises(StorageError, match=r"it contains an entry that leads out of it"):
        part(("../a.jpg", b"a"))


def test_a_slow_disk_ends_the_peek_into_an_archive(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    path = limits.roots[0] / "set.tar.gz"
    path.write_bytes(packed(*PHOTOS))
    monkeypatch.setattr(peek, "_SECONDS", -1.0)
    assert survey(path, limits).count is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"no archive", "is neither a folder nor an archive", id="something else"),
        pytest.param(b"", "is neither a folder nor an archive", id="nothing"),
        pytest.param(ZIP[:-30], "is damaged: its end is missing", id="half a zip"),
        pytest.param(b"PK\x03\x04" + bytes(1_000_001), "this worker accepts at most 1 MB", id="too large"),
    ],
)
def test_an_archive_that_would_be_refused_is_refused(content: bytes, words: str, limits: Limits) -> None:
    path = limits.roots[0] / "set.zip"
    path.write_bytes(content)
    reason, message = refused(path, limits)
    assert reason == "INPUT_REFUSED"
    assert words in message


def test_another_scheme_is_refused(limits: Limits) -> None:
    with pytest.raises(StorageError, match="ftp:// is not read by this worker"):
        surveys.survey("ftp://host/set.zip", limits)
