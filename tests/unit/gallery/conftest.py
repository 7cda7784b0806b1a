"""A result on a jobs volume, and small settings."""

from pathlib import Path

import pytest
from reconstruction_gallery.settings import Settings

from tests.support.results import JOB, seal_files


@pytest.fixture
def output(jobs_dir: Path) -> Path:
    """The output folder of `JOB`, with a mesh, a preview and their manifest."""
    folder = jobs_dir / JOB / "output"
    (folder / "previews").mkdir(parents=True)
    (folder / "model.glb").write_bytes(b"glTF-mesh")
    (folder / "previews" / "front.png").write_bytes(b"png")
    seal_files(folder, "model.glb", "previews/front.png")
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        uploads_dir=str(tmp_path / "uploads"),
        photo_max_bytes=1000,
        upload_max_files=3,
        upload_max_bytes=10_000,
        user_max_bytes=16_000,
        upload_free_bytes=1,
        upload_keep_seconds=100,
    )
