"""Fixtures for the photos of a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.photos import make_photo
from tests.support.settings import configure


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the job's photo."""
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(make_photo())
    configure(monkeypatch, INPUT_ROOTS=(str(photos),))
    return photos


@pytest.fixture
def photos(folder: Path) -> str:
    """The URI of the folder."""
    return f"file://{folder}"
