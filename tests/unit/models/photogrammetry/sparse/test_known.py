"""Known features and matches: a database with copied ones equals one that was computed whole."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry import dividing
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto
from reconstruction_operator.models.photogrammetry.sparse import features, known, registration
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.known import Known

from tests.support.engine import databases, scenes
from tests.support.engine.geometry import QUIET

PICTURES = [scenes.box_photo(camera, 1) for camera in scenes.around(4, arc_deg=30.0, size=300)]


def run(folder: Path, shown: Sequence[int], earlier: Path | None = None, *, in_parts: bool = False) -> Path:
    """Fill the stage `folder` from the pictures of those numbers, in that order, with what the `earlier` one knows.

    In parts, another database has a part of the pairs.
    """
    folder.mkdir()
    photos = [PreparedPhoto(f"{place}.png", f"{place}.png", 300, 300, 360.0, "camera") for place in range(len(shown))]
    for photo, number in zip(photos, shown, strict=True):
        cv2.imwrite(str(folder / photo.name), PICTURES[number])
    keys = known.keys_of(photos, folder, 500)
    found = Known.of(earlier, keys, folder / "known.db") if earlier else None
    database, copy = folder / "run.db", found.copy_features if found else lambda _: ()

    def divided(names: Sequence[str], make: dividing.Make) -> list[Path]:
        parts = [folder / "first", folder / "second"] if in_parts else []
        for part, wanted in zip(parts, (range(2), range(2, len(names))), strict=False):
            part.mkdir()
            make(part, wanted, QUIET)
        return parts

    features.extract(photos, folder, database, features=500, threads=1, progress=QUIET, known=copy, divided=divided)
    pairs = list(combinations([photo.name for photo in photos], 2))
    if found:
        found.copy_matches(database, pairs)
    if in_parts:
        others = folder / "others.db"
        shutil.copyfile(database, others)
        registration.match(pairs[:2], databases.matched(others, len(photos)), QUIET)
        known.write_matches(folder / "first", others, pairs[:2])
        known.read_matches(folder / "first", database, pairs, folder / "copy.db")
        assert registration.unmatched(pairs, database) == pairs[2:]
    registration.match(pairs, databases.matched(database, len(photos)), QUIET)
    known.write(folder, database, keys)
    return folder


def content(folder: Path) -> Mapping[str, Any]:
    """What the database of a stage has of each photo, and of each pair."""
    with pycolmap.Database.open(folder / "run.db") as opened:
        images = {str(image.name): image.image_id for image in opened.read_all_images()}
        of_photos = {
            name: [opened.read_keypoints(image), opened.read_descriptors(image).data] for name, image in images.items()
        }
        of_pairs = {
            f"{first}-{second}": [
                opened.read_matches(images[first], images[second]),
                opened.read_two_view_geometry(images[first], images[second]).inlier_matches,
                opened.read_two_view_geometry(images[first], images[second]).F,
            ]
            for first, second in combinations(sorted(images), 2)
        }
    return of_photos | of_pairs


def test_a_stage_of_features_is_equal_in_whatever_order_threads_found_them(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", [0, 1, 2])
    other = tmp_path / "other.db"
    shutil.copyfile(whole / "run.db", other)
    with pycolmap.Database.open(other) as opened:
        images = [image.image_id for image in opened.read_all_images()]
        keypoints = {image: opened.read_keypoints(image) for image in images}
        opened.clear_keypoints()
        for image in reversed(images):
            opened.write_keypoints(image, keypoints[image])
    (tmp_path / "copy").mkdir()
    known.write(tmp_path / "copy", other, {})

    assert (tmp_path / "copy" / known.DATABASE).read_bytes() == (whole / known.DATABASE).read_bytes()
    assert other.read_bytes() != (whole / "run.db").read_bytes()


def test_a_stage_made_in_parts_is_equal(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", [0, 1, 2])
    joined = run(tmp_path / "joined", [0, 1, 2], in_parts=True)

    assert (joined / known.DATABASE).read_bytes() == (whole / known.DATABASE).read_bytes()


@pytest.mark.parametrize(
    ("before", "now", "made"),
    [
        pytest.param([0, 1, 2], [0, 3, 1, 2], (1, 3), id="added"),
        pytest.param([0, 1, 2, 3], [0, 2, 3], (0, 0), id="removed"),
        pytest.param([0, 1, 2], [2, 0, 1], (0, 2), id="renamed"),
        pytest.param([0, 1], [2, 3], (2, 1), id="others"),
    ],
)
def test_a_database_with_known_photos_equals_one_from_scratch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: list[int], now: list[int], made: tuple[int, int]
) -> None:
    earlier = run(tmp_path / "before", before)
    whole = content(run(tmp_path / "whole", now))
    found: list[str] = []
    find = features._found
    monkeypatch.setattr(features, "_found", lambda photo, *rest: found.append(photo.name) or find(photo, *rest))
    matched: list[int] = []
    match = registration.match
    monkeypatch.setattr(registration, "match", lambda *rest: matched.append(match(*rest)))

    added = content(run(tmp_path / "now", now, earlier))

    assert (len(found), *matched) == made
    for name, arrays in whole.items():
        for computed, copied in zip(arrays, added[name], strict=True):
            np.testing.assert_array_equal(copied, computed, err_msg=name)


def test_features_belong_to_the_photo_its_mask_its_camera_and_their_number(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "mask.png"):
        (tmp_path / name).write_text(name)
    (tmp_path / "c.png").write_text("a.png")

    def key(name: str = "a.png", camera: str = "one", mask: str | None = None, features: int = 9) -> str:
        photo = PreparedPhoto(name, "source.png", 4, 3, None, camera, mask=mask)
        return known.keys_of([photo], tmp_path, features)[name]

    assert key() == key("c.png")
    assert len({key(), key("b.png"), key(camera="other"), key(mask="mask.png"), key(features=8)}) == 5
