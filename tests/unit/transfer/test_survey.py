"""Input survey: without copying, it finds the errors that loading would find."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from reconstruction_operator.transfer import survey as surveys
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits

from tests.support.archives import encrypted_zip, tarred, zipped
from tests.support.photos import make_photo
from tests.support.servers.https import Server, sending


@pytest.fixture
def folder(limits: Limits) -> Path:
    folder = limits.roots[0] / "set"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(make_photo())
    (folder / "sub" / "b.png").write_bytes(make_photo("PNG"))
    (folder / "notes.txt").write_text("text")
    return folder


def archive(content: bytes, limits: Limits) -> Path:
    path = limits.roots[0] / "set.any"
    path.write_bytes(content)
    return path


def survey(path: Path, limits: Limits) -> surveys.Survey:
    return surveys.survey(f"file://{path}", limits)


def refused(path: Path, limits: Limits) -> tuple[str, str]:
    with pytest.raises(StorageError) as caught:
        survey(path, limits)
    return caught.value.reason, caught.value.message


def test_a_folder_is_counted_without_masks_and_measured(folder: Path, limits: Limits) -> None:
    (folder / "a.mask.png").write_bytes(make_photo("PNG"))
    result = survey(folder, limits)
    assert (result.count, result.ignored.text) == (2, "1 other file ignored: 1 .txt")
    assert result.bytes == sum(path.stat().st_size for path in folder.rglob("*.[jp]*"))
    assert str(result) == "2 photos, 0 MB, 1 other file ignored: 1 .txt"
    (folder / "frames.mov").write_bytes(b"decoded only by a run")
    assert survey(folder, limits).count is None


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


def packed(*entries: tuple[str, bytes]) -> bytes:
    """A .tar.gz."""
    return gzip.compress(tarred(*entries))


@pytest.mark.parametrize("pack", [zipped, tarred, packed])
def test_the_photos_of_an_archive_are_counted_without_masks(pack: Callable[..., bytes], limits: Limits) -> None:
    photos = [(f"set/{number}.jpg", make_photo()) for number in range(3)]
    content = pack(*photos, ("set/masks/0.png", make_photo("PNG")), ("set/x.txt", b"x"))
    result = survey(archive(content, limits), limits)
    assert (result.count, result.bytes) == (3, len(content))
    assert result.ignored.text == "1 other file ignored: 1 .txt"


@pytest.mark.parametrize("pack", [zipped, tarred, packed])
@pytest.mark.parametrize(
    ("photo", "reason", "words"),
    [
        pytest.param(b"<html>", "CORRUPT_IMAGE", "photo set/19.jpg is a web page", id="a page"),
        pytest.param(make_photo()[:-300], "CORRUPT_IMAGE", "is truncated", id="truncated"),
        pytest.param(b"FUJIFILMCCD-RAW" + bytes(200_000), "UNSUPPORTED_FORMAT", "a camera RAW file", id="raw"),
    ],
)
def test_a_photo_in_an_archive_that_would_be_refused_is_refused(
    pack: Callable[..., bytes], photo: bytes, reason: str, words: str, limits: Limits
) -> None:
    actual, message = refused(archive(pack(("set/19.jpg", photo)), limits), limits)
    assert actual == reason
    assert words in message


def test_a_photo_of_which_only_the_start_was_read_is_accepted(limits: Limits) -> None:
    big = make_photo("PNG", size=(390, 100))
    assert len(big) > 65_536
    assert survey(archive(tarred(("a.png", big)), limits), limits).count == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "is neither a folder nor an archive", id="nothing"),
        pytest.param(encrypted_zip(), "is protected by a password", id="a password"),
        pytest.param(zipped(("a.jpg", make_photo()))[:-30], "is damaged: ", id="half a zip"),
        pytest.param(packed(*((f"{n}.txt", b"") for n in range(21))), "contains more than 20 files", id="many"),
    ],
)
def test_an_archive_that_would_not_be_unpacked_is_refused(content: bytes, words: str, limits: Limits) -> None:
    reason, message = refused(archive(content, limits), limits)
    assert reason == "INPUT_REFUSED"
    assert words in message


def test_a_large_archive_on_a_slow_disk_is_left_to_the_run(limits: Limits) -> None:
    path = archive(packed(("a.jpg", b"no photo")), limits)
    assert str(survey(path, replace(limits, survey_seconds=-1.0))) == "an archive or a video of 0 MB"


def test_another_scheme_is_refused(limits: Limits) -> None:
    with pytest.raises(StorageError, match="ftp:// is not read by this worker"):
        surveys.survey("ftp://host/set.zip", limits)


def remote(server: Server, limits: Limits) -> surveys.Survey:
    return surveys.survey(server.url("/a.zip"), limits, resolve=lambda *_: ["127.0.0.1"], tls=server.tls)


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", bytes(257) + b"ustar"])
def test_an_archive_on_a_server_is_checked_by_its_first_bytes(start: bytes, server: Server, limits: Limits) -> None:
    server.pages["/a.zip"] = sending(start + bytes(500_000))
    result = remote(server, limits)
    assert (result.count, result.bytes) == (None, len(start) + 500_000)


@pytest.mark.parametrize(
    ("content", "length", "words"),
    [
        pytest.param(b"<html>", None, "a.zip is neither a folder nor an archive", id="a page"),
        pytest.param(b"PK\x03\x04", 10**9, "this worker accepts at most 1.0 MB", id="too large"),
    ],
)
def test_an_archive_on_a_server_that_would_be_refused_is_refused(
    content: bytes, length: int | None, words: str, *, server: Server, limits: Limits
) -> None:
    server.pages["/a.zip"] = sending(content, length=length)
    with pytest.raises(StorageError, match=words) as caught:
        remote(server, limits)
    assert caught.value.reason == "INPUT_REFUSED"
