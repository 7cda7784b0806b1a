from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from kubectl_recon.photos.advice import Level, findings
from kubectl_recon.photos.scanning import Photo, measure


def photo(number: int, **fields: object) -> Photo:
    """A good photo; no two of them look alike."""
    good = Photo(
        Path(f"/p/{number}.jpg"),
        f"{number}.jpg",
        4_000_000,
        kind="JPEG",
        width=4000,
        height=3000,
        camera="Canon EOS 80D",
        focal_length=35.0,
        sharpness=100.0 + number % 7,
        fingerprint=(number * 0x9E3779B97F4A7C15) % (1 << 64),
    )
    return replace(good, **fields)


def kinds(*photos: Photo) -> list[tuple[Level, str]]:
    return [(finding.level, finding.kind) for finding in findings(photos)]


GOOD = [photo(number) for number in range(24)]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, [(Level.ERROR, "too-few")]),
        (2, [(Level.ERROR, "too-few")]),
        (3, [(Level.WARNING, "few")]),
        (19, [(Level.WARNING, "few")]),
        (20, []),
        (200, []),
        (1001, [(Level.WARNING, "too-many")]),
    ],
)
def test_the_number_of_photos_is_checked(count: int, expected: list[tuple[Level, str]]) -> None:
    assert kinds(*[photo(number) for number in range(count)]) == expected


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (photo(99, problem="cannot be read: truncated"), (Level.ERROR, "unusable")),
        (photo(99, problem="a raw file of a camera: export it as JPEG"), (Level.WARNING, "unusable")),
        (photo(99, sharpness=10.0), (Level.WARNING, "blurred")),
        (photo(99, fingerprint=GOOD[3].fingerprint ^ 1), (Level.WARNING, "duplicates")),
        (photo(99, width=640, height=480), (Level.WARNING, "small")),
        (photo(99, camera="Apple iPhone"), (Level.NOTE, "cameras")),
        (photo(99, focal_length=85.0), (Level.NOTE, "zoom")),
        (photo(99, has_position=True), (Level.NOTE, "gps")),
        (photo(99, bars=0.1), (Level.WARNING, "bars")),
        (photo(99, name="photos/statue?#2.jpg"), (Level.NOTE, "renamed")),
        (Photo(Path("/p/x.heic"), "x.heic", 1, kind="HEIC"), (Level.NOTE, "heic")),
    ],
)
def test_one_bad_photo_is_found(bad: Photo, expected: tuple[Level, str]) -> None:
    results = findings([*GOOD, bad])
    assert [(finding.level, finding.kind) for finding in results] == [expected]
    assert results[0].photos in ((bad.name,), ())


def test_a_video_has_frames_enough() -> None:
    assert kinds(measure(Path(__file__), "walk.MOV")) == []


def test_photos_without_exif_cause_one_note() -> None:
    assert kinds(*[replace(good, focal_length=0.0, camera="") for good in GOOD]) == [(Level.NOTE, "no-exif")]


def test_findings_are_sorted_by_severity() -> None:
    few = [photo(1, has_position=True), photo(2, width=100, height=100)]
    assert [level for level, _ in kinds(*few)] == [Level.ERROR, Level.WARNING, Level.NOTE]


def test_a_long_list_of_names_is_cut() -> None:
    (finding,) = findings([*GOOD, *[photo(100 + number, width=640, height=480) for number in range(6)]])
    assert finding.text.endswith("100.jpg, 101.jpg, 102.jpg, 103.jpg, 104.jpg and 1 more")
    assert len(finding.photos) == 6


def test_black_bars_of_most_photos_are_a_black_background() -> None:
    assert kinds(*[photo(number, bars=0.1 if number < 13 else 0.0) for number in range(24)]) == []


def test_the_texts_count_one_photo_as_one() -> None:
    for finding in findings([photo(1, width=640, height=480, has_position=True)]):
        assert "1 photos" not in finding.text
