"""Names of photos in the gallery, which has no folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubectl_recon.errors import ReconError
from kubectl_recon.gallery.uploading import named
from kubectl_recon.photos.scanning import Photo


def photo(name: str) -> Photo:
    return Photo(Path(name), name, 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", "a.jpg"),
        ("left/a.jpg", "left_a.jpg"),
        ("a.mask.png", "a.mask.png"),
        ("masks/a.png", "a.mask.png"),
        ("left/masks/a.png", "left_a.mask.png"),
    ],
)
def test_a_name_has_no_folder_and_a_mask_has_its_photos_name(name: str, expected: str) -> None:
    assert list(named([photo(name)])) == [expected]


def test_two_photos_of_the_same_name_are_rejected() -> None:
    with pytest.raises(ReconError, match=r"left/a.jpg and left_a.jpg would have the same name"):
        named([photo("left_a.jpg"), photo("left/a.jpg")])
