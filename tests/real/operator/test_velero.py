"""Velero: ten finished jobs are backed up, deleted with their namespace and restored, and none of them runs again.

docs/backups.md promises what is tested here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from devcluster import wait_until
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import System
from devcluster.harness.velero import Velero
from tests.real.operator.conftest import start_counting
from tests.support.pages import block
from tests.support.photos import make_photo
from tests.support.systems import SharedSystems

if TYPE_CHECKING:
    from devcluster.servers.storage.s3 import S3

BUILD_SECONDS = 1800
pytestmark = [pytest.mark.release, pytest.mark.timeout(BUILD_SECONDS)]

_QUEUE = "rough"


@pytest.fixture
def system(start_system: SharedSystems, photos_root: Path, runs_folder: Path) -> System:
    """A restored namespace has a new uid, so names decide, as the page says."""
    return start_counting(start_system, photos_root, runs_folder, NAMESPACE_IDENTITY="name")


@pytest.fixture
def velero(system: System, namespace: str, s3: S3) -> Iterator[Velero]:
    """Velero, started after the CRD exists, since it discovers new kinds every five minutes.

    Its bucket is on the real S3 server.
    """
    from tests.support.servers.objects import S3Server  # noqa: PLC0415  # boto3 takes seconds

    bucket = S3Server(s3.url(), s3.access_key, s3.secret_key).bucket(f"velero-{namespace}")
    with Velero(system.cluster, s3, bucket.name) as running:
        yield running


@pytest.fixture
def names(jobs: Jobs, photos_root: Path, namespace: str) -> list[str]:
    """Ten finished jobs: eight have succeeded, one has failed, and one was cancelled while it waited."""
    folder = photos_root / namespace
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.jpg").write_bytes(make_photo())

    def create(name: str, **spec: Any) -> str:
        return jobs.create(name, modelType="rough-versioned", queue=_QUEUE, input={"uri": f"file://{folder}"}, **spec)

    created = [create(f"job-{number}") for number in range(8)]
    created += [create("failed", reuse="Required"), create("cancelled", suspend=True)]
    jobs.cancel("cancelled")
    for name in created:
        jobs.wait_finished(name)
    return created


def phases(jobs: Jobs, names: list[str]) -> dict[str, str]:
    return {name: jobs.get(name)["status"]["phase"] for name in names}


def delete_namespace(jobs: Jobs) -> None:
    folders = list(jobs.system.jobs_dir.glob("[!.]*"))
    jobs.system.cluster.kubectl("delete", "namespace", jobs.namespace)
    wait_until(
        lambda: not any(folder.exists() for folder in folders), "the job folders to be cleaned up", timeout_seconds=90
    )


def shown(namespace: str) -> dict[str, Any]:
    """The Restore that the page shows, of another backup."""
    manifest: dict[str, Any] = yaml.safe_load(block("velero-restore"))
    manifest["metadata"]["name"] = manifest["spec"]["backupName"] = namespace
    return manifest


def test_ten_jobs_restored_with_their_status_stay_as_they_were(
    velero: Velero, jobs: Jobs, names: list[str], runs_folder: Path
) -> None:
    before = {name: jobs.get(name) for name in names}
    runs = len(list(runs_folder.iterdir()))
    velero.back_up(jobs.namespace, jobs.namespace)
    delete_namespace(jobs)

    operator = jobs.system.processes["operator"]
    operator.pause()  # the page: stop the operator
    velero.restore(shown(jobs.namespace))
    operator.resume()

    later = jobs.create_in("Succeeded", queue=_QUEUE)  # the operator has seen all others
    for name, old in before.items():
        restored = jobs.get(name)
        assert restored["metadata"]["uid"] != old["metadata"]["uid"]
        assert restored["metadata"]["labels"]["velero.io/restore-name"] == jobs.namespace
        assert (restored["spec"], restored["status"]) == (old["spec"], old["status"]), name
        assert not jobs.folder(name).exists()
    assert later not in before
    assert len(list(runs_folder.iterdir())) == runs


def test_ten_jobs_restored_without_their_status_run_none_again(
    velero: Velero, jobs: Jobs, names: list[str], runs_folder: Path
) -> None:
    before = phases(jobs, names)
    runs = len(list(runs_folder.iterdir()))
    velero.back_up(jobs.namespace, jobs.namespace)
    delete_namespace(jobs)

    restore = shown(jobs.namespace)
    del restore["spec"]["restoreStatus"]
    velero.restore(restore)

    for name in names:
        status = jobs.wait_finished(name)["status"]
        assert status["phase"] == before[name], name
        assert ("reusedFrom" in status) == (status["phase"] == "Succeeded"), name
    assert len(list(runs_folder.iterdir())) == runs
