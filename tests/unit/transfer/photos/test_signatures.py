"""File signatures: whether a photo seems to have its end. The kinds of files are tested with the photo checks."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from reconstruction_operator.transfer.photos import signatures

from tests.support.photos import make_photo, saved


def seems_whole(content: bytes) -> bool:
    file = io.BytesIO(content)
    with Image.open(file) as image:
        place = file.tell()
        found = signatures.seems_whole(file, image)
        assert file.tell() == place  # Pillow continues to read there
    return found


CONTENTS = {kind: make_photo(kind, (200, 100)) for kind in ("JPEG", "PNG", "WEBP", "TIFF")}
CONTENTS["TIFF, packed"] = saved(Image.effect_noise((200, 100), 80), "TIFF", compression="tiff_lzw")


@pytest.mark.parametrize("kind", CONTENTS)
def test_whole_photo_seems_whole(kind: str) -> None:
    assert seems_whole(CONTENTS[kind])


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_photo_without_its_end_does_not_seem_whole(kind: str, share: float) -> None:
    content = CONTENTS[kind]
    assert not seems_whole(content[: int(len(content) * share)])
