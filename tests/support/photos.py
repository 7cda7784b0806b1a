"""Photos for tests of inputs."""

from __future__ import annotations

import io

from PIL import Image


def make_photo(kind: str = "JPEG", size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    """A photo of that kind with something in it, so that half of it is not the whole."""
    buffer = io.BytesIO()
    Image.effect_noise(size, 80).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()
