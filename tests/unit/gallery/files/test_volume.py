"""Results on the volume: only files of the manifest are opened, and no link is followed."""

import os
from pathlib import Path

import pytest
from reconstruction_gallery.files.opened import NoResultError
from reconstruction_gallery.files.volume import manifest_of, open_file

from tests.support.results import JOB, seal_files


def content_of(name: str, job: str = JOB) -> bytes:
    opened = open_file(job, name)
    try:
        return opened.file.read()
    finally:
        opened.close()


@pytest.mark.parametrize(("name", "content"), [("model.glb", b"glTF-mesh"), ("previews/front.png", b"png")])
def test_files_of_the_manifest_are_opened(output: Path, name: str, content: bytes) -> None:
    assert content_of(name) == content


def test_a_rejected_file_leaves_no_open_descriptor(output: Path) -> None:
    seal_files(output, "model.glb", "previews/absent.png", "absent/front.png")
    before = len(list(Path("/proc/self/fd").iterdir()))

    for name in ("absent.png", "previews/absent.png", "absent/front.png"):
        with pytest.raises(NoResultError):
            open_file(JOB, name)

    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    "name", ["../input/a.jpg", "/etc/passwd", "previews/../../owner.json", ".", "", "previews//front.png", "a\0b"]
)
def test_a_path_outside_the_output_folder_is_rejected(output: Path, name: str) -> None:
    (output.parent / "owner.json").write_bytes(b"")
    seal_files(output, name.replace("\0", "\\u0000"))

    with pytest.raises(NoResultError):
        open_file(JOB, name)


@pytest.mark.parametrize("linked", ["file", "folder", "output", "job"])
def test_no_link_is_followed(output: Path, jobs_dir: Path, tmp_path: Path, linked: str) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "front.png").write_bytes(b"secret")
    name = "previews/front.png"
    if linked == "file":
        (output / name).unlink()
        (output / name).symlink_to(secret / "front.png")
    elif linked == "folder":
        (output / name).unlink()
        (output / "previews").rmdir()
        (output / "previews").symlink_to(secret)
    elif linked == "output":
        output.rename(tmp_path / "moved")
        output.symlink_to(tmp_path / "moved")
    else:
        output.parent.rename(tmp_path / "moved")
        output.parent.symlink_to(tmp_path / "moved")

    with pytest.raises(NoResultError):
        open_file(JOB, name)


def test_a_pipe_or_a_file_of_another_size_is_rejected(output: Path) -> None:
    seal_files(output, "pipe", "model.glb")
    os.mkfifo(output / "pipe")
    (output / "model.glb").write_bytes(b"longer than in the manifest")

    for name in ("pipe", "model.glb"):
        with pytest.raises(NoResultError):
            open_file(JOB, name)


def test_the_manifest_of_another_job_is_ignored(output: Path) -> None:
    seal_files(output, "model.glb", job_id="another")

    assert manifest_of(JOB) is None
    with pytest.raises(NoResultError):
        open_file(JOB, "model.glb")


@pytest.mark.parametrize("job", ["../etc", "a/b", "", ".deleted", "x" * 200])
def test_a_job_id_that_is_not_a_folder_name_has_no_result(output: Path, job: str) -> None:
    assert manifest_of(job) is None


def test_the_manifest_is_read(output: Path) -> None:
    manifest = manifest_of(JOB)

    assert manifest is not None
    assert [one.name for one in manifest.files] == ["model.glb", "previews/front.png"]
