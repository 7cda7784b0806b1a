"""A job whose namespace takes too much of the job volume ends, is explained, and leaves nothing of itself there."""

from __future__ import annotations

import json

import pytest

from devcluster import wait_until
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import REPOSITORY, System
from tests.support.plugin import Program
from tests.support.systems import ROUGH, SharedSystems

PHOTOS = f"file://{REPOSITORY}/tests/data/photos/berlin"


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    return start_system(ROUGH, NAMESPACE_VOLUME_BYTES="*=3000000", INPUT_ROOTS=str(REPOSITORY))


def test_a_job_beyond_the_quota_of_its_namespace_is_ended_and_explained(jobs: Jobs, recon: Program) -> None:
    jobs.create("growing", modelType="rough-growing", queue="rough", input={"uri": PHOTOS}, backoffLimit=0)
    failure = jobs.wait_finished("growing")["status"]["failure"]
    assert failure["reason"] == "VOLUME_QUOTA"
    assert failure["message"].startswith(f"namespace {jobs.namespace} takes ")
    assert "it may take 3 MB (NAMESPACE_VOLUME_BYTES)" in failure["message"]
    said = json.loads(recon("why", "growing", "-o", "json").stdout)
    assert said["situation"] == "volume-quota"
    assert "NAMESPACE_VOLUME_BYTES" in str(said["actions"])

    usage = jobs.system.jobs_dir / ".usage" / jobs.namespace
    wait_until(lambda: not jobs.folder("growing").exists() and not usage.exists(), "its files and its entry to go")
    jobs.create("small", modelType="rough-good", queue="rough", input={"uri": PHOTOS})
    assert jobs.wait_finished("small")["status"]["phase"] == "Succeeded"
    assert len(list(usage.iterdir())) == 1
