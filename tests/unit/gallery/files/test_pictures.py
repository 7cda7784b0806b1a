"""Small picture of a job's first photo: what the job may read, decoded in a process that can open nothing else."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from reconstruction_gallery.files.pictures import Pictures

from tests.support.photos import make_photo
from tests.support.results import JOB
from tests.support.settings import configure


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that jobs of the namespace maps may read, of which URIs begin with /photos."""
    configure(monkeypatch, INPUT_ROOTS=(f"/photos={tmp_path}/photos",), NAMESPACE_INPUTS=(("maps", "/photos/maps"),))
    place = tmp_path / "photos" / "maps"
    place.mkdir(parents=True)
    return place


def put(folder: Path, **photos: bytes) -> None:
    for name, content in photos.items():
        (folder / name.replace("_", ".")).write_bytes(content)


async def test_the_first_photo_that_can_be_decoded_is_shown(folder: Path) -> None:
    put(folder, a_jpg=make_photo()[:900], b_mp4=b"video", notes_txt=b"text", img10_webp=make_photo("WEBP"))
    (folder / "img2.png").write_bytes(make_photo("PNG"))
    (folder / "img2.mask.png").write_bytes(make_photo("PNG"))

    picture = await Pictures().first("maps", "file:///photos/maps", "anna")

    with Image.open(io.BytesIO(picture)) as image:
        assert (image.format, image.size) == ("JPEG", (320, 240))


@pytest.mark.parametrize(
    ("namespace", "uri"),
    [
        pytest.param("other", "file:///photos/maps", id="not-granted"),
        pytest.param("maps", "file:///photos/../../../etc", id="outside"),
        pytest.param("maps", "file:///photos/maps/none", id="missing"),
        pytest.param("maps", "file:///photos/maps/link", id="a-link-to-the-outside"),
        pytest.param("maps", "file:///photos/maps/empty", id="no-photo"),
        pytest.param("maps", "file:///photos/maps/broken", id="no-photo-that-can-be-decoded"),
        pytest.param("maps", "file://[", id="no-address"),
        pytest.param("maps", "file:///photos/%00", id="no-path"),
        pytest.param("maps", "s3://photos/maps/", id="a-bucket"),
    ],
)
async def test_without_a_photo_that_the_job_may_read_there_is_no_picture(
    folder: Path, namespace: str, uri: str
) -> None:
    put(folder, a_jpg=make_photo())
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    put(folder / "broken", a_jpg=b"\xff\xd8\xff" * 999)
    (folder / "link").symlink_to("/usr/share")

    assert await Pictures().first(namespace, uri, "anna") == b""


async def test_photos_from_elsewhere_are_shown_once_a_run_has_loaded_them(jobs_dir: Path) -> None:
    for run in ("2-b", "1-a"):
        (jobs_dir / JOB / "attempts" / run / "input").mkdir(parents=True)
    assert await Pictures().first("maps", "s3://photos/maps/", "anna", loaded_by=JOB) == b""

    loaded = (jobs_dir / JOB / "attempts" / "1-a" / "input").rename(jobs_dir / JOB / "attempts" / "1-a" / "loaded")
    (loaded / "photos.json").write_text("{}")
    put(loaded, a_jpg=make_photo()[:900], b_jpg=make_photo(size=(400, 300)))
    (loaded / "a.mask.png").write_bytes(make_photo("PNG"))
    picture = await Pictures().first("maps", "s3://photos/maps/", "anna", loaded_by=JOB)

    with Image.open(io.BytesIO(picture)) as image:
        assert (image.format, image.size) == ("JPEG", (320, 240))


async def test_no_link_leads_from_the_loaded_photos_elsewhere(jobs_dir: Path, tmp_path: Path) -> None:
    put(tmp_path, a_jpg=make_photo())
    run = jobs_dir / JOB / "attempts" / "1-a"
    (run / "loaded").mkdir(parents=True)
    (run / "loaded" / "a.jpg").symlink_to(tmp_path / "a.jpg")
    assert await Pictures().first("maps", "", "anna", loaded_by=JOB) == b""

    (run / "loaded" / "a.jpg").unlink()
    (run / "loaded").rmdir()
    (run / "loaded").symlink_to(tmp_path)
    assert await Pictures().first("maps", "", "anna", loaded_by=JOB) == b""


def test_the_process_that_decodes_the_photo_can_open_no_file(folder: Path) -> None:
    put(folder, a_jpg=make_photo())
    program = (
        "import sys; from reconstruction_operator import config; from reconstruction_gallery.files import pictures;"
        f"pictures._picture = lambda *_: open({__file__!r});"
        "pictures.perform(('maps', 'file://' + sys.argv[1]), None)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, folder],
        env={"INPUT_ROOTS": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Too many open files" in done.stderr, done.stderr
