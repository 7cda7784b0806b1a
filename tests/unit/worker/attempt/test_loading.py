"""Loading photos: their number, formats and masks."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from PIL import Image
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.jobfiles import workspace
from reconstruction_operator.models.placeholder import PlaceholderModel
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError
from reconstruction_operator.worker.attempt.loading import input_of, load_photos

from tests.support.refs import make_attempt
from tests.support.settings import configure
from tests.support.worker.attempts import JOB, run

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
        pytest.param(1001, "TOO_MANY_IMAGES", "1001 photos were found", id="1001"),
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


def test_photos_in_unsupported_formats_are_named_in_the_failure(photos: Path) -> None:
    for name in ("1.jpg", "1.nef", "2.nef"):
        (photos / name).touch()
    with pytest.raises(ReconstructionFailedError) as caught:
        run(model="photogrammetry", input_uri=f"file://{photos}")
    assert caught.value.reason == "UNSUPPORTED_FORMAT"
    assert caught.value.message == (
        "1 photo was found (2 other files ignored: 2 .nef); photogrammetry needs at least 3, "
        "and does not read 2 .nef (camera RAW)"
    )


def test_masks_come_with_their_photos_and_do_not_count(photos: Path) -> None:
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        Image.new("RGB", (64, 48)).save(photos / name)
    (photos / "masks").mkdir()
    Image.new("L", (64, 48)).save(photos / "masks" / "2.png")
    space = workspace.prepare(make_attempt(JOB))
    envelope = Envelope(make_attempt(JOB), input_uri=f"file://{photos}")
    limits = Limits.from_config("default")

    take = input_of(envelope, space)
    loaded = load_photos(take, model=ThreePhotos(), workspace=space, limits=limits, tick=lambda *_: None)

    assert [(photo.path.name, photo.mask and photo.mask.name) for photo in loaded.photos] == [
        ("1.jpg", None),
        ("2.jpg", "2.mask.png"),
        ("3.jpg", None),
    ]
    assert all(photo.mask is None or photo.mask.is_file() for photo in loaded.photos)
    assert loaded.bytes == sum(path.stat().st_size for path in photos.rglob("*.*"))


class ThreePhotos(PlaceholderModel):
    """Accepts exactly three photos: a mask that counts would be one too many."""

    min_photos: ClassVar[int] = 3
    max_photos: ClassVar[int] = 3
