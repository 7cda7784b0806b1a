"""A result that exists only in a bucket, with the status that leads to it."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest
from reconstruction_operator.transfer.objects.process import ObjectTarget
from reconstruction_operator.transfer.runs import DeliveringRun

from devcluster.harness.gallery import Gallery
from devcluster.harness.jobs import Jobs
from devcluster.servers.storage.s3 import S3
from devcluster.waiting import wait_until
from tests.real.gallery.conftest import MakeUser
from tests.real.gallery.test_access import know
from tests.support.refs import make_attempt
from tests.support.results import seal_files
from tests.support.settings import configure

MESH = os.urandom(3 << 20)


@pytest.fixture
def delivered(jobs: Jobs, gallery: Gallery, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a job that no operator manages, whose result is in the bucket, and not on the gallery's volume."""
    (s3.buckets / "meshes").mkdir(exist_ok=True)
    for variable, value in s3.environment().items():
        monkeypatch.setenv(variable, value)
    configure(monkeypatch, STORAGE_SCHEMES=("s3",))
    uri = f"s3://meshes/{jobs.namespace}/one/"
    name = jobs.create("one", managedBy="example.com/none", output={"uri": uri})
    uid = jobs.get(name)["metadata"]["uid"]
    (tmp_path / "model.glb").write_bytes(MESH)
    seal_files(tmp_path, "model.glb", job_id=uid, uri=uri)
    ObjectTarget(uri, jobs.namespace).deliver(
        tmp_path, DeliveringRun(make_attempt(uid), None), lambda: None, lambda *_: None
    )
    # The status that the operator writes after a delivery.
    path = f"/apis/reconstruction.dev/v1alpha1/namespaces/{jobs.namespace}/reconstructionjobs/{name}/status"
    jobs.system.cluster.api.patch(path, {"status": {"outputs": {"uri": uri, "bytes": len(MESH)}}})
    know(gallery, jobs, name)
    return name


def path_of(jobs: Jobs, name: str, what: str) -> str:
    return f"/api/namespaces/{jobs.namespace}/jobs/{name}/{what}"


def test_a_result_in_a_bucket_is_served_whole_in_ranges_and_as_a_zip(
    gallery: Gallery, jobs: Jobs, delivered: str, make_user: MakeUser
) -> None:
    token = make_user("viewer")
    result_path = path_of(jobs, delivered, "").rstrip("/")
    wait_until(
        lambda: gallery.request("GET", result_path, token=token).json["result"], "the gallery to know the result"
    )
    path = path_of(jobs, delivered, "files/model.glb")

    whole = gallery.request("GET", path, token=token)
    part = gallery.request("GET", path, headers={"Range": "bytes=1000000-2000000"}, token=token)
    archive = gallery.request("GET", path_of(jobs, delivered, "result.zip"), token=token)

    assert (whole.status, whole.content, whole.headers["content-type"]) == (200, MESH, "model/gltf-binary")
    assert (part.status, part.content) == (206, MESH[1_000_000:2_000_001])
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        assert opened.read(f"{delivered}/{delivered}.glb") == MESH
