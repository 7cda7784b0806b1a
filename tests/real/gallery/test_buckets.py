"""Results that exist only in a bucket: served to users who may see the job, and never for another job."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest
from reconstruction_operator.transfer.objects.worker_outputs import ObjectTarget
from reconstruction_operator.transfer.runs import Run

from devcluster.harness.gallery import Gallery
from devcluster.harness.jobs import Jobs
from devcluster.servers.storage.s3 import S3
from devcluster.waiting import wait_until
from tests.real.gallery.conftest import MakeUser
from tests.real.gallery.test_access import know
from tests.support.results import seal_files
from tests.support.settings import configure

MESH = os.urandom(3 << 20)


@pytest.fixture
def delivered(jobs: Jobs, gallery: Gallery, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a job whose result is in the bucket, and not on the gallery's volume."""
    (s3.buckets / "meshes").mkdir(exist_ok=True)
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    configure(monkeypatch, STORAGE_SCHEMES=("s3",))
    return deliver(jobs, gallery, tmp_path, "one", f"s3://meshes/{jobs.namespace}/one/")


def deliver(jobs: Jobs, gallery: Gallery, folder: Path, name: str, uri: str) -> str:
    """Create a job that no operator manages, and deliver a result for it."""
    jobs.create(name, managedBy="example.com/none", output={"uri": uri})
    uid = jobs.get(name)["metadata"]["uid"]
    (folder / "model.glb").write_bytes(MESH)
    seal_files(folder, "model.glb", job_id=uid, uri=uri)
    ObjectTarget(uri, jobs.namespace).deliver(folder, Run(uid, 1, None), lambda: None, lambda *_: None)
    announce(jobs, name, uri)
    know(gallery, jobs, name)
    return name


def announce(jobs: Jobs, name: str, uri: str) -> None:
    """Write the status that the operator writes after a delivery."""
    path = f"/apis/reconstruction.dev/v1alpha1/namespaces/{jobs.namespace}/reconstructionjobs/{name}/status"
    jobs.system.cluster.api.patch(path, {"status": {"outputs": {"uri": uri, "bytes": len(MESH)}}})


def path_of(jobs: Jobs, name: str, what: str) -> str:
    return f"/api/namespaces/{jobs.namespace}/jobs/{name}/{what}"


def wait_shown(gallery: Gallery, jobs: Jobs, name: str, token: str) -> dict[str, object]:
    def look() -> dict[str, object] | None:
        shown = gallery.request("GET", path_of(jobs, name, "").rstrip("/"), token=token).json
        return shown if shown["result"] or "unreadable" in shown else None

    found = wait_until(look, "the gallery to know the result")
    assert found is not None
    return found


def test_a_result_in_a_bucket_is_served_whole_in_ranges_and_as_a_zip(
    gallery: Gallery, jobs: Jobs, delivered: str, make_user: MakeUser
) -> None:
    token = make_user("viewer")
    wait_shown(gallery, jobs, delivered, token)
    path = path_of(jobs, delivered, "files/model.glb")

    whole = gallery.request("GET", path, token=token)
    part = gallery.request("GET", path, headers={"Range": "bytes=1000000-2000000"}, token=token)
    archive = gallery.request("GET", path_of(jobs, delivered, "result.zip"), token=token)

    assert (whole.status, whole.content, whole.headers["content-type"]) == (200, MESH, "model/gltf-binary")
    assert (part.status, part.content) == (206, MESH[1_000_000:2_000_001])
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        assert opened.read(f"{delivered}/model.glb") == MESH


def test_a_user_without_rights_on_the_job_cannot_read_the_bucket(
    gallery: Gallery, jobs: Jobs, delivered: str, make_user: MakeUser
) -> None:
    token = make_user("stranger")
    answers = [
        gallery.request("GET", path_of(jobs, delivered, what), token=token)
        for what in ("files/model.glb", "result.zip")
    ]
    assert [one.status for one in answers] == [403, 403]


@pytest.mark.parametrize(
    ("theirs", "shown"),
    [pytest.param("", None, id="same-namespace"), pytest.param("other", "may not", id="another-namespace")],
)
def test_a_job_with_the_output_address_of_another_job_has_no_result(  # noqa: PLR0917  # fixtures
    gallery: Gallery, jobs: Jobs, delivered: str, make_user: MakeUser, theirs: str, shown: str | None
) -> None:
    """The status even claims that the result was delivered there."""
    uri = f"s3://meshes/{theirs or jobs.namespace}/{delivered}/"
    jobs.create("thief", managedBy="example.com/none", output={"uri": uri})
    announce(jobs, "thief", uri)
    know(gallery, jobs, "thief")
    token = make_user("editor")

    answer = gallery.request("GET", path_of(jobs, "thief", "files/model.glb"), token=token)

    assert answer.status == (502 if shown else 404)
    assert (shown or "") in answer.json["error"]
