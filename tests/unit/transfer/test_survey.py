"""Survey of inputs: what is found without copying anything, as loading would find it."""

from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.transfer import survey as surveys
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits

from tests.support.photos import make_photo
from tests.unit.transfer.archives import tarred, zipped

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


def test_a_photo_that_may_not_be_read_is_named(folder: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    assert refused(folder, limits) == (
        "INPUT_NOT_FOUND",
        f"photo a.jpg in file://{folder} cannot be read: Permission denied",
    )


@pytest.mark.parametrize("content", [ZIP, tarred(("a.jpg", b"1"))], ids=["zip", "tar"])
def test_an_archive_is_measured(content: bytes, limits: Limits) -> None:
    path = limits.roots[0] / "set.any"
    path.write_bytes(content)
    assert survey(path, limits) == surveys.Survey(None, len(content))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"no archive", "is neither a folder nor an archive", id="something else"),
        pytest.param(b"", "is neither a folder nor an archive", id="nothing"),
        pytest.param(ZIP[:-30], "is damaged: its end is missing", id="half a zip"),
        pytest.param(b"PK\x03\x04" + bytes(1_000_001), "this worker takes 1 MB", id="too large"),
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
