from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import pytest
from PIL import Image
from reconstruction_operator.models.interface import ModelFailure, Photo, Step, Work
from reconstruction_operator.models.photogrammetry import PhotogrammetryModel

from tests.support.engine.geometry import ignore


def work(folder: Path, photos: tuple[Photo, ...], parameters: dict[str, object] | None = None) -> Work:
    scratch, output = folder / "scratch", folder / "output"
    scratch.mkdir()
    output.mkdir()
    return Work(photos, scratch, output, parameters or {}, threads=1)


def test_unavailable_names_missing_packages_and_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in {"pycolmap", "cv2"} else there(name))
    assert PhotogrammetryModel().unavailable() == (
        "missing Python packages: opencv-python-headless, pycolmap "
        "(the extra photogrammetry of reconstruction-operator)"
    )


def test_too_few_photos_are_refused_before_libraries_are_loaded(tmp_path: Path) -> None:
    photo = Photo(tmp_path / "one.jpg", 400, 300, 1)
    with pytest.raises(ModelFailure, match=r"TOO_FEW_IMAGES: at least 3 photos are needed, and 2 given"):
        PhotogrammetryModel().run(work(tmp_path, (photo, photo)), ignore)


def test_a_broken_photo_is_a_failure_with_a_reason(tmp_path: Path) -> None:
    broken = tmp_path / "holiday.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 this is no photo")
    photo = Photo(broken, 400, 300, broken.stat().st_size)
    with pytest.raises(ModelFailure, match=r"CORRUPT_IMAGE: holiday\.jpg cannot be read"):
        PhotogrammetryModel().run(work(tmp_path, (photo,) * 3, {"quality": "fast"}), ignore)


def test_a_lack_of_memory_is_a_failure_with_a_reason(tmp_path: Path) -> None:
    photo = Photo(tmp_path / "one.jpg", 400, 300, 1)

    def report(step: Step, fraction: float, message: str = "", **_: object) -> None:
        raise MemoryError

    Path(photo.path).write_bytes(_png())
    with pytest.raises(ModelFailure, match=r"OUT_OF_MEMORY: not enough memory for 3 photos at 1600 px"):
        PhotogrammetryModel().run(work(tmp_path, (photo,) * 3, {"quality": "fast"}), report)


def _png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    return file.getvalue()
