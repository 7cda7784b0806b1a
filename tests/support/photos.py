"""Photos and videos for tests of inputs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    """Return the content of a file with that picture."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def make_photo(kind: str = "JPEG", size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    """Return a photo of that kind with noise, so that a half of it is recognized as incomplete."""
    return saved(Image.effect_noise(size, 80).convert("RGB"), kind, **options)


def write_clip(
    path: Path, lefts: Sequence[int] = range(60), side: int = 160, frames: Sequence[Any] = (), codec: str = "mp4v"
) -> Path:
    """Write a clip of frames (h, w, 3), or of a pattern, from these px of it on; then each third frame is sharp.

    `codec`: browsers play vp09, and not mp4v.
    """
    spots = np.random.default_rng(0).integers(0, 255, (40, 160, 3), dtype=np.uint8)
    pattern = cv2.resize(spots, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    views = [pattern[:side, left : left + side] for left in lefts]
    frames = frames or [cv2.GaussianBlur(view, (7, 7), 0) if at % 3 else view for at, view in enumerate(views)]
    video = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 10, frames[0].shape[1::-1])
    for frame in frames:
        video.write(frame)
    video.release()
    return path
