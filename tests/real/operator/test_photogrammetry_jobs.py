"""Photogrammetry jobs: real photos through the whole system."""

import re
import shutil
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
import trimesh
from PIL import Image, ImageStat

from devcluster.harness.jobs import Jobs, is_true
from devcluster.harness.system import REPOSITORY
from tests.support.engine import scenes
from tests.support.photos import write_clip

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

PHOTOS = REPOSITORY / "tests" / "data" / "photos"
_SMALL = {"quality": "preview", "maxImageSize": 700, "textureSize": 512, "faces": 5_000}
_RECONSTRUCTION_SECONDS = 600.0  # some seconds on two quiet cores


def test_three_photos_of_a_portal_become_a_mesh_with_previews(jobs: Jobs) -> None:
    name = jobs.create(modelType="photogrammetry", input={"uri": f"file://{PHOTOS}/berlin"}, parameters=_SMALL)

    status = jobs.wait_finished(name, timeout_seconds=_RECONSTRUCTION_SECONDS)["status"]

    assert status["phase"] == "Succeeded", status
    assert status["inputs"]["images"] == 3
    assert "simulated" not in status or status["simulated"] is False
    assert int(status["quality"]["registered"]) == 3
    assert status["outputs"]["files"][0]["name"] == "model.glb"
    beside = {"report.html", "cameras.json", "colmap/points3D.bin", "pointcloud.ply", "preview_turn.webp"}
    assert beside <= {file["name"] for file in status["outputs"]["files"]}
    mesh: Any = trimesh.load(jobs.folder(name) / "output" / "model_full.glb", force="mesh")
    assert 2_000 <= len(mesh.faces) <= 5_000
    assert max(mesh.extents) / max(min(mesh.extents), 1e-9) < 50
    previews = sorted((jobs.folder(name) / "output").glob("preview_*.png"))
    assert len(previews) >= 2
    for preview in previews:
        with Image.open(preview) as image:
            assert max(ImageStat.Stat(image.convert("L")).stddev) > 5, f"{preview.name} is blank"

    larger = _SMALL | {"textureSize": 1024, "markerSize": 0.1}
    second = jobs.create(modelType="photogrammetry", input={"uri": f"file://{PHOTOS}/berlin"}, parameters=larger)
    again = jobs.wait_finished(second, timeout_seconds=_RECONSTRUCTION_SECONDS)["status"]
    assert again["progress"]["resumedFrom"] == f"surface of job {name}"
    assert "AprilTag 36h11 was seen sharply by photos from two sides: the mesh is not in metres" in again["warning"]
    assert again["quality"] == status["quality"] | {"textureCoverage": again["quality"]["textureCoverage"]}


@pytest.fixture
def apart(photos_root: Path) -> Path:
    """Photos that show different sides of a building."""
    folder = photos_root / "apart"
    folder.mkdir()
    for name in ("01.jpg", "10.jpg", "19.jpg", "28.jpg"):
        shutil.copy(PHOTOS / "lund" / name, folder)
    return folder


def test_photos_without_overlap_fail_with_numbers_and_advice(jobs: Jobs, apart: Path) -> None:
    name = jobs.create(modelType="photogrammetry", input={"uri": f"file://{apart}"}, parameters=_SMALL)

    job = jobs.wait_finished(name, timeout_seconds=_RECONSTRUCTION_SECONDS)

    failure = job["status"]["failure"]
    assert failure["reason"] == "NOT_ENOUGH_OVERLAP"
    overlapping = re.match(r"(\d+) of 4 photos overlap", failure["message"])
    assert overlapping is not None, failure
    assert int(job["status"]["quality"]["registered"]) == int(overlapping[1]) < 3  # reported before the gate
    assert "at least 3 are needed. Take more photos, closer together" in failure["message"]
    assert failure["message"].lower().count("closer together") == 1
    assert is_true(job, "Failed")
    assert job["status"]["attempt"] == 1  # a retry would change nothing


@pytest.fixture
def from_a_phone(photos_root: Path) -> Path:
    """The example photos as a phone stores them: HEIC, with their EXIF."""
    folder = photos_root / "from-a-phone"
    folder.mkdir()
    pillow_heif.register_heif_opener()
    for path in sorted((REPOSITORY / "examples" / "photos" / "banana").glob("*.jpg")):
        with Image.open(path) as photo:
            photo.save(folder / f"IMG_{path.stem[-4:]}.HEIC", quality=90, exif=photo.getexif())
    return folder


@pytest.mark.release  # minutes; `make test` decodes HEIC, and reconstructs JPEG
def test_photos_of_a_phone_become_a_mesh(jobs: Jobs, from_a_phone: Path) -> None:
    name = jobs.create(
        modelType="photogrammetry", input={"uri": f"file://{from_a_phone}"}, parameters={"quality": "fast"}
    )

    status = jobs.wait_finished(name, timeout_seconds=_RECONSTRUCTION_SECONDS)["status"]

    assert status["phase"] == "Succeeded", status
    assert status["inputs"]["images"] == 12
    assert int(status["quality"]["registered"]) >= 11
    mesh: Any = trimesh.load(jobs.folder(name) / "output" / "model_full.glb", force="mesh")
    assert len(mesh.faces) > 10_000


@pytest.mark.release  # a minute; `make test` takes frames from videos, and reconstructs photos
def test_a_video_becomes_a_mesh(jobs: Jobs, photos_root: Path) -> None:
    (folder := photos_root / "video").mkdir()
    views = [scenes.box_photo(camera, 0)[..., None].repeat(3, axis=2) for camera in scenes.around(60, size=640)]
    write_clip(folder / "box.mov", frames=views)
    name = jobs.create(modelType="photogrammetry", input={"uri": f"file://{folder}"}, parameters=_SMALL)
    status = jobs.wait_finished(name, timeout_seconds=_RECONSTRUCTION_SECONDS)["status"]
    assert status["phase"] == "Succeeded", status
    assert 6 <= status["inputs"]["images"] == int(status["quality"]["registered"]) <= 60


def test_a_confirmed_cancel_stops_the_native_code(jobs: Jobs) -> None:
    photos = {"uri": f"file://{PHOTOS}/berlin"}
    name = jobs.create(modelType="photogrammetry", input=photos, parameters={"quality": "fast"})
    jobs.wait(
        name,
        "in its third step",
        lambda job: job.get("status", {}).get("progress", {}).get("stepIndex", 0) >= 3,
        timeout_seconds=_RECONSTRUCTION_SECONDS,
    )

    jobs.cancel(name)

    jobs.wait_phase(name, "Cancelled")
    assert not jobs.folder(name).exists()
