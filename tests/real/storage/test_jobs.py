"""Jobs whose photos and result are in object storage, on a real control plane and a real S3 server."""

from __future__ import annotations

import json

import pytest
import yaml

from devcluster import wait_until
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import REPOSITORY, System
from devcluster.servers.storage.s3 import S3
from tests.support.photos import make_photo
from tests.support.servers.objects import Bucket, S3Server
from tests.support.systems import ROUGH, SLOW, SharedSystems

BUILD_SECONDS = 1800
pytestmark = [pytest.mark.long, pytest.mark.timeout(BUILD_SECONDS)]


@pytest.fixture
def system(start_system: SharedSystems, s3: S3) -> System:
    return start_system(ROUGH, SLOW, STORAGE_SCHEMES="s3", **s3.environment())


def test_the_shipped_example_takes_photos_from_a_bucket_and_fills_another(jobs: Jobs, s3: S3) -> None:
    server = S3Server(s3.url(), s3.access_key, s3.secret_key)
    photos = server.bucket("photos")
    meshes = server.bucket("meshes")
    for number in range(3):
        photos.put(f"banana/{number}.jpg", make_photo())
    spec = yaml.safe_load((REPOSITORY / "manifests" / "examples" / "bucket.yaml").read_text())["spec"]
    name = jobs.create(**spec | {"modelType": "rough-good", "queue": "rough"})
    status = jobs.wait_finished(name)["status"]
    assert status["phase"] == "Succeeded", status
    assert status["inputs"]["images"] == 3
    folder = json.loads(meshes.get("banana/result.json"))["folder"]
    assert status["outputs"]["uri"] == f"s3://meshes/banana/{folder}"
    named = {f"banana/{folder}{file['name']}" for file in status["outputs"]["files"]}
    assert f"banana/{folder}model.glb" in named
    assert named <= set(meshes.keys)


def test_the_result_of_a_deleted_job_stays_in_the_bucket(jobs: Jobs, bucket: Bucket) -> None:
    bucket.put("set/a.jpg", make_photo())
    name = jobs.create(
        modelType="rough-good",
        queue="rough",
        input={"uri": f"s3://{bucket.name}/set/"},
        output={"uri": f"s3://{bucket.name}/meshes/"},
    )
    uid = jobs.get(name)["metadata"]["uid"]
    jobs.wait_finished(name)
    before = bucket.keys
    assert "meshes/result.json" in before
    jobs.delete(name)
    wait_until(lambda: not (jobs.system.jobs_dir / uid).exists(), "the job's own files to be deleted")
    assert bucket.keys == before
