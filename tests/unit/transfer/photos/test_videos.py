"""Video frames: sharp ones, apart from each other, become photos; a broken or still video is named."""

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.photos import checks

from tests.support.photos import make_photo, write_clip


def check(folder: Path, limits: Limits) -> list[str]:
    return [photo.path.name for photo in checks.check_all(sorted(folder.iterdir()), limits, lambda *_: None)]


def damaged(path: Path) -> None:
    end = (content := write_clip(path).read_bytes()).index(b"moov") - 4
    path.write_bytes(content[: end // 2] + bytes(end - end // 2) + content[end:])


def test_a_video_is_replaced_by_its_sharp_frames_in_order(into: Path, limits: Limits) -> None:
    names = check(write_clip(into / "walk.MP4").parent, limits)
    assert names == sorted(path.name for path in into.iterdir())
    assert len(names) >= 5
    assert all(int(name[len("walk.MP4.") : -len(".jpg")]) % 3 == 0 for name in names[:-1])  # the last step is not whole


def test_photos_and_frames_together_are_at_most_the_photos_of_a_set(into: Path, limits: Limits) -> None:
    (into / "a.jpg").write_bytes(make_photo())
    for name in ("b.mp4", "c.mov"):
        write_clip(into / name)
    assert "".join(name[0] for name in check(into, replace(limits, max_photos=8))) == "abbbccc"


def test_frames_count_against_the_limit_of_the_input_before_they_are_written(into: Path, limits: Limits) -> None:
    def frame_bytes() -> int:
        return sum(path.stat().st_size for path in into.glob("*.jpg"))

    for name in ("a.mp4", "b.mp4"):
        write_clip(into / name)
    clips = {path: path.read_bytes() for path in into.iterdir()}
    check(into, limits)
    most = frame_bytes() - 1
    for frame in into.iterdir():
        frame.unlink()
    for path, content in clips.items():
        path.write_bytes(content)
    with pytest.raises(StorageError, match=r"INPUT_REFUSED: video b.mp4 \(2 of 2\): frames of videos.*have more than"):
        check(into, replace(limits, max_bytes=most))
    assert 0 < frame_bytes() <= most


def test_frames_are_reduced_to_the_size_that_the_model_uses(into: Path, limits: Limits) -> None:
    write_clip(into / "walk.mp4")
    sizes = [
        (photo.width, photo.height)
        for photo in checks.check_all(list(into.iterdir()), replace(limits, frame_side=120), lambda *_: None)
    ]
    assert {max(size) for size in sizes} == {120}


def test_the_chosen_frames_of_a_video_are_limited(into: Path, limits: Limits) -> None:
    assert len(check(write_clip(into / "walk.mp4").parent, replace(limits, max_chosen_frames=3))) == 3


@pytest.mark.parametrize(("size", "warned"), [(0, False), (60, True)])
def test_a_video_with_damaged_frames_has_a_warning(
    into: Path, limits: Limits, size: int, warned: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    content = write_clip(into / "walk.mp4").read_bytes()
    middle = content.index(b"moov") // 2
    (into / "walk.mp4").write_bytes(content[:middle] + b"\xa5" * size + content[middle + size :])
    photos = checks.check_all(sorted(into.iterdir()), limits, lambda *_: None)
    (warning,) = {photo.warning for photo in photos}
    assert bool(re.fullmatch(r"\d+ frames? of video walk.mp4 (is|are) damaged", warning)) is warned
    sys.stderr.write("printed afterwards")
    assert capfd.readouterr().err == "printed afterwards"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda path: write_clip(path.with_suffix(".avi")).rename(path), "CORRUPT_IMAGE: .* is damaged, or of a kind"),
        (damaged, "CORRUPT_IMAGE: .* is truncated: it has .. of 60 frames"),
        (lambda path: write_clip(path, [0, 4] * 9), "NO_PARALLAX: .* shows no motion"),  # the camera shakes
        (lambda path: write_clip(path, range(101)), "IMAGE_TOO_LARGE: .* has 101 frames; at most 100"),
        (lambda path: write_clip(path, [0], side=500), "IMAGE_TOO_LARGE: .* has 500 x 160 px; at most 400"),
    ],
)
def test_bad_video_is_named_with_its_index_and_fault(
    make: Callable[[Path], object], text: str, *, into: Path, limits: Limits
) -> None:
    (into / "a.jpg").write_bytes(make_photo())
    make(into / "bad.mov")
    with pytest.raises(StorageError, match=text) as caught:
        check(into, replace(limits, max_frames=100))
    assert "video bad.mov (2 of 2) " in caught.value.message
