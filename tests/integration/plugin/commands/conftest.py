"""Local photos."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.photos import make_photo


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three small photos, which need `--force`."""
    folder = tmp_path / "My Vase"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(make_photo())
    return folder
