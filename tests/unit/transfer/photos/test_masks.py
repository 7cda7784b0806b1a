"""Masks: which pictures are masks, and of which photo."""

from __future__ import annotations

import pytest
from reconstruction_operator.transfer import names
from reconstruction_operator.transfer.photos import masks


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("IMG_1.mask.png", True, id="beside its photo"),
        pytest.param("set/IMG_1.JPG.MASK.PNG", True, id="with the whole name, in capitals"),
        pytest.param("masks/IMG_1.png", True, id="in a folder beside the photos"),
        pytest.param("set/Masks/IMG_1.jpg.png", True, id="in a folder below"),
        pytest.param("masks/IMG_1.jpg", False, id="a photo in a folder of that name"),
        pytest.param("IMG_1.png", False, id="a photo that is a PNG"),
        pytest.param("mask.png", False, id="a photo called mask"),
    ],
)
def test_masks_are_recognized_by_name(name: str, expected: bool) -> None:  # of the table
    assert masks.is_mask(name) is expected
    assert masks.count_photos([name, "other.jpg"]) == (1 if expected else 2)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(["a.jpg", "a.mask.png"], {"a.jpg": "a.mask.png"}, id="beside"),
        pytest.param(["a.jpg", "masks/a.png", "b.jpg"], {"a.jpg": "a.mask.png", "b.jpg": None}, id="a folder"),
        pytest.param(["s/A.JPG", "s/masks/a.jpg.png"], {"A.JPG": "a.jpg.mask.png"}, id="in a shared folder"),
        pytest.param(
            ["1/a.jpg", "1/masks/a.png", "2/a.jpg"], {"1_a.jpg": "1_a.mask.png", "2_a.jpg": None}, id="of one folder"
        ),
        pytest.param(["a.jpg", "b.mask.png"], {"a.jpg": None}, id="without a photo"),
    ],
)
def test_photos_find_their_masks_by_flat_names(given: list[str], expected: dict[str, str | None]) -> None:
    assert masks.of_photos(names.flattened(given)) == expected
