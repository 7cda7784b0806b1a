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


def test_the_process_that_decodes_the_photo_can_open_no_file(folder: Path) -> None:
    put(folder, a_jpg=make_photo())
    program = (
        "import sys; from reconstruction_operator import config; from reconstruction_gallery.files import pictures;"
        f"pictures._picture = lambda *_: open({__file__!r});"
        "pictures.perform({'namespace': 'maps', 'uri': 'file://' + sys.argv[1]}, None)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, folder],
        env={"INPUT_ROOTS": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Too many open files" in done.stderr, done.stderr
