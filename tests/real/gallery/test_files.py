"""Files of a result: served whole and in ranges; no other file is served."""

import hashlib
import http.client
import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from reconstruction_operator.contract.manifest import local_names

from devcluster.harness.gallery import Gallery
from devcluster.harness.jobs import Jobs
from tests.real.gallery.conftest import MakeUser
from tests.real.gallery.test_access import know


@pytest.fixture
def finished(jobs: Jobs, gallery: Gallery) -> str:
    """The name of a job with a result."""
    name = jobs.create()
    jobs.wait_phase(name, "Succeeded")
    know(gallery, jobs, name)
    return name


@pytest.fixture
def token(make_user: MakeUser) -> str:
    return make_user("viewer")


def folder_of(jobs: Jobs, name: str) -> Path:
    return jobs.system.jobs_dir / jobs.get(name)["metadata"]["uid"] / "output"


def names_in(output: Path) -> list[str]:
    return [file["name"] for file in json.loads((output / "manifest.json").read_text())["files"]]


def add_to_manifest(output: Path, *names: str, size: int, sha256: str = "0" * 64) -> None:
    manifest = json.loads((output / "manifest.json").read_text())
    manifest["files"] += [{"name": name, "bytes": size, "sha256": sha256} for name in names]
    (output / "manifest.json").write_text(json.dumps(manifest))


def path_of(jobs: Jobs, name: str, file: str) -> str:
    return f"/api/namespaces/{jobs.namespace}/jobs/{name}/files/{file}"


def test_each_file_of_the_manifest_is_served_unchanged(gallery: Gallery, jobs: Jobs, finished: str, token: str) -> None:
    result = gallery.request("GET", f"/api/namespaces/{jobs.namespace}/jobs/{finished}", token=token).json["result"]

    assert {Path(file["name"]).suffix for file in result["files"]} >= {".glb", ".png"}
    for file in result["files"]:
        answer = gallery.request("GET", path_of(jobs, finished, file["name"]), token=token)
        assert (answer.status, hashlib.sha256(answer.content).hexdigest()) == (200, file["sha256"])
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("header", "status", "part"),
    [
        pytest.param("bytes=0-3", 206, slice(0, 4), id="first"),
        pytest.param("bytes=10-", 206, slice(10, None), id="rest"),
        pytest.param("bytes=-5", 206, slice(-5, None), id="last"),
        pytest.param("bytes=4-99999999", 206, slice(4, None), id="beyond-the-end"),
        pytest.param("bytes=99999999-", 416, None, id="after-the-end"),
        pytest.param("bytes=-0", 416, None, id="nothing"),
        pytest.param("bytes=5-2", 416, None, id="reversed"),
        pytest.param("bytes=0-1,4-5", 200, slice(None), id="several"),
        pytest.param("bytes=a-b", 200, slice(None), id="malformed"),
        pytest.param("bytes=" + "9" * 4000 + "-", 200, slice(None), id="huge"),
    ],
)
def test_a_range_is_a_part_of_the_file(  # noqa: PLR0917  # fixtures
    gallery: Gallery, jobs: Jobs, finished: str, token: str, header: str, status: int, part: slice | None
) -> None:
    (mesh,) = folder_of(jobs, finished).glob("*.glb")
    whole = mesh.read_bytes()

    answer = gallery.request("GET", path_of(jobs, finished, mesh.name), headers={"Range": header}, token=token)

    assert answer.status == status
    if part is None:
        assert answer.headers["content-range"] == f"bytes */{len(whole)}"
    else:
        assert answer.content == whole[part]


def test_a_file_in_the_browsers_cache_is_not_sent_again(
    gallery: Gallery, jobs: Jobs, finished: str, token: str
) -> None:
    (mesh,) = folder_of(jobs, finished).glob("*.glb")
    path = path_of(jobs, finished, mesh.name)
    tag = gallery.request("GET", path, token=token).headers["etag"]

    same = gallery.request("GET", path, headers={"If-None-Match": tag}, token=token)
    other = gallery.request("GET", path, headers={"Range": "bytes=0-3", "If-Range": '"other"'}, token=token)

    assert (same.status, same.content) == (304, b"")
    assert (other.status, other.content) == (200, mesh.read_bytes())


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/passwd",
        "..%2f..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/owner.json",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "link.png",
        "folder/secret.png",
        "pipe.png",
        "unnamed.png",
        "grown.png",
        "model.glb%00.png",
        "a%0d%0aSet-Cookie:x=1",
        ".",
        "",
    ],
)
def test_only_regular_files_of_the_manifest_can_be_read(  # noqa: PLR0917  # fixtures
    gallery: Gallery, jobs: Jobs, finished: str, token: str, name: str, tmp_path: Path
) -> None:
    """A hostile model leaves links and pipes, and a manifest with them and with files outside."""
    output = folder_of(jobs, finished)
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"SECRET")
    (output / "link.png").symlink_to(secret)
    (output / "folder").symlink_to(tmp_path)
    os.mkfifo(output / "pipe.png")
    (output / "unnamed.png").write_bytes(b"SECRET")
    (output / "grown.png").write_bytes(b"more SECRET")
    hostile = ["link.png", "folder/secret.png", "pipe.png", "grown.png", "../owner.json", "/etc/passwd"]
    add_to_manifest(output, *hostile, "../../../../etc/passwd", size=6)

    answer = gallery.request("GET", path_of(jobs, finished, name), token=token)

    assert answer.status == 404
    assert b"SECRET" not in answer.content
    assert b"root:" not in answer.content
    assert "set-cookie" not in answer.headers


def test_a_report_is_shown_only_in_a_frame_of_the_page(gallery: Gallery, jobs: Jobs, finished: str, token: str) -> None:
    """In a tab of its own it could imitate the gallery's page."""
    output = folder_of(jobs, finished)
    (output / "report.html").write_text("<p>Report</p>")
    add_to_manifest(output, "report.html", size=13)
    path = path_of(jobs, finished, "report.html")

    framed = gallery.request("GET", path, headers={"Sec-Fetch-Dest": "iframe"}, token=token)
    alone = gallery.request("GET", path, headers={"Sec-Fetch-Dest": "document"}, token=token)

    assert framed.headers["content-type"].startswith("text/html")
    policy = framed.headers["content-security-policy"]
    assert {"sandbox allow-scripts", "default-src 'none'", "frame-ancestors 'self'"} <= set(policy.split("; "))
    assert alone.headers["content-disposition"].startswith("attachment")
    assert alone.headers["content-type"] == "application/octet-stream"
    assert alone.headers["x-content-type-options"] == "nosniff"


def test_all_files_can_be_downloaded_as_one_zip(gallery: Gallery, jobs: Jobs, finished: str, token: str) -> None:
    output = folder_of(jobs, finished)

    answer = gallery.request("GET", f"/api/namespaces/{jobs.namespace}/jobs/{finished}/result.zip", token=token)

    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{finished}.zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        contents = {entry.filename: (archive.read(entry), entry.compress_type) for entry in archive.infolist()}
    saved = local_names(names_in(output), finished)  # the mesh as NAME.glb
    assert saved["model.glb"] == f"{finished}.glb"
    assert contents == {
        f"{finished}/{local}": ((output / name).read_bytes(), zipfile.ZIP_STORED) for name, local in saved.items()
    }


def test_the_obj_is_downloaded_with_its_texture_alone(gallery: Gallery, jobs: Jobs, finished: str, token: str) -> None:
    output = folder_of(jobs, finished)
    path = f"/api/namespaces/{jobs.namespace}/jobs/{finished}/result.zip?format="
    assert gallery.request("GET", f"{path}obj", token=token).status == 404
    wanted = ("model.obj", "model.mtl", "model_texture.png")
    for name in wanted:
        (output / name).write_bytes(b"")
    add_to_manifest(output, *wanted, size=0, sha256=hashlib.sha256().hexdigest())

    answer = gallery.request("GET", f"{path}obj", token=token)

    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{finished}-obj.zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert sorted(Path(name).suffix for name in archive.namelist()) == [".mtl", ".obj", ".png"]
    assert gallery.request("GET", f"{path}../x", token=token).status == 404


def test_an_archive_contains_no_path_outside_its_folder(
    gallery: Gallery, jobs: Jobs, finished: str, token: str
) -> None:
    output = folder_of(jobs, finished)
    before = names_in(output)
    hostile = ["../evil.sh", "/etc/cron.d/evil", "C:evil.exe", "a\\..\\evil.exe", "a\x00b", "con\nb", "..", "a/../../b"]
    add_to_manifest(output, *hostile, size=0, sha256=hashlib.sha256().hexdigest())

    answer = gallery.request("GET", f"/api/namespaces/{jobs.namespace}/jobs/{finished}/result.zip", token=token)

    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert "evil" not in " ".join(archive.namelist())
        assert len(archive.namelist()) == len(before)


def test_an_archive_with_a_damaged_file_is_aborted(gallery: Gallery, jobs: Jobs, finished: str, token: str) -> None:
    (mesh,) = folder_of(jobs, finished).glob("*.glb")
    mesh.write_bytes(b"?" * mesh.stat().st_size)

    with pytest.raises(http.client.IncompleteRead):
        gallery.request("GET", f"/api/namespaces/{jobs.namespace}/jobs/{finished}/result.zip", token=token)


def test_clients_that_disconnect_early_leak_no_descriptors(
    gallery: Gallery, jobs: Jobs, finished: str, token: str
) -> None:
    (mesh,) = folder_of(jobs, finished).glob("*.glb")
    descriptors = Path(f"/proc/{gallery.process.pid}/fd")
    gallery.request("HEAD", path_of(jobs, finished, mesh.name), token=token)
    before = len(list(descriptors.iterdir()))

    for _ in range(20):
        answer = gallery.request("HEAD", path_of(jobs, finished, mesh.name), token=token)
        assert (answer.status, answer.content) == (200, b"")

    assert len(list(descriptors.iterdir())) < before + 10
