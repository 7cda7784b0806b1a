"""A result on a jobs volume, and small settings."""

import hashlib
import json
from pathlib import Path

import pytest
from reconstruction_gallery.settings import Settings

JOB = "0b4e1d7e-0000-4000-8000-000000000001"


@pytest.fixture
def output(jobs_dir: Path) -> Path:
    """The output folder of `JOB`, with a mesh, a preview and their manifest."""
    folder = jobs_dir / JOB / "output"
    (folder / "previews").mkdir(parents=True)
    (folder / "model.glb").write_bytes(b"glTF-mesh")
    (folder / "previews" / "front.png").write_bytes(b"png")
    seal(folder, "model.glb", "previews/front.png")
    return folder


def seal(folder: Path, *names: str, job: str = JOB) -> None:
    """Write a manifest of these files, which need not exist."""
    files = []
    for name in names:
        path = folder / name
        content = path.read_bytes() if path.is_file() else b""
        files.append({"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    content = {
        "version": 1,
        "jobId": job,
        "taskId": "",
        "attempt": 1,
        "model": "placeholder",
        "simulated": True,
        "inputs": {"images": 3, "bytes": 9},
        "quality": {},
        "uri": "",
        "owner": None,
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(content))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        uploads_dir=str(tmp_path / "uploads"),
        photo_max_bytes=1000,
        upload_max_files=3,
        upload_max_bytes=2500,
        user_max_bytes=4000,
        upload_free_bytes=1,
        upload_keep_seconds=100,
    )
