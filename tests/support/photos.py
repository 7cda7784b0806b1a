"""Photos for tests of inputs."""

from __future__ import annotations

import io

from PIL import Image


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    """Return the content of a file with that picture."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def make_photo(kind: str = "JPEG", size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    """Return a photo of that kind with noise, so that a truncated file is not a valid one."""
    return saved(Image.effect_noise(size, 80).convert("RGB"), kind, **options)
