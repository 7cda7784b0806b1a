from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError

from tests.support.attempts import run
from tests.support.settings import configure

pytestmark = pytest.mark.usefixtures("wanted")


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    configure(monkeypatch, INPUT_ROOTS=(str(folder),))
    return folder


@pytest.mark.parametrize(
    ("count", "reason", "text"),
    [
        pytest.param(
            0, "TOO_FEW_IMAGES", "0 photos were found (1 other file ignored: 1 .txt); photogrammetry needs", id="0"
        ),
        pytest.param(2, "TOO_FEW_IMAGES", "2 photos were found", id="2"),
        pytest.param(201, "TOO_MANY_IMAGES", "201 photos were found", id="201"),
        pytest.param(3, "CORRUPT_IMAGE", "photo 0.jpg (1 of 3) is an empty file", id="3"),
    ],
)
def test_the_number_of_photos_is_checked_before_they_are_decoded(
    count: int, reason: str, text: str, *, photos: Path
) -> None:
    (photos / "x.txt").touch()
    for number in range(count):
        (photos / f"{number}.jpg").touch()
    with pytest.raises(ReconstructionFailedError) as caught:
        run(model="photogrammetry", input_uri=f"file://{photos}")
    assert caught.value.reason == reason
    assert text in caught.value.message


def test_pictures_in_formats_that_are_not_read_are_to_be_exported(photos: Path) -> None:
    for name in ("1.jpg", "1.nef", "2.nef"):
        (photos / name).touch()
    with pytest.raises(ReconstructionFailedError) as caught:
        run(model="photogrammetry", input_uri=f"file://{photos}")
    assert caught.value.reason == "UNSUPPORTED_FORMAT"
    assert caught.value.message == (
        "1 photos were found (2 other files ignored: 2 .nef); photogrammetry needs at least 3, "
        "and does not read 2 .nef (camera RAW)"
    )
