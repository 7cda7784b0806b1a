from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from reconstruction_operator.transfer.limits import Limits

MakePhoto = Callable[..., bytes]


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


@pytest.fixture
def limits(tmp_path: Path) -> Limits:
    """Small ones: 1 MB, 20 files, 40,000 pixels, 400 px."""
    for name in ("photos", "jobs"):
        (tmp_path / name).mkdir()
    return replace(
        Limits.from_config(),
        roots=(tmp_path / "photos",),
        jobs_dir=tmp_path / "jobs",
        https_hosts=("localhost",),
        max_bytes=1_000_000,
        max_files=20,
        max_pixels=40_000,
        max_side=400,
        timeout_seconds=10.0,
    )


def make_photo(kind: str = "JPEG", size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    """A photo of that kind with something in it, so that half of it is not the whole."""
    image = Image.effect_noise(size, 80).convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(name="make_photo")
def make_photo_fixture() -> MakePhoto:
    return make_photo
