"""Deletion protection on a real API server: a running job is deleted only after a confirmed cancel, or if an annotation
allows it.
"""

import json
import secrets
import subprocess
from typing import Any

import pytest

from devcluster.harness.system import GROUP
from devcluster.waiting import wait_until
from tests.real.chart.release import Release

SETTLE_SECONDS = 60.0  # a new policy takes effect within a second or so
ALLOW = "reconstruction.dev/allow-deletion"
RUNNING: dict[str, Any] = {"phase": "Running", "startTime": "2026-03-01T12:00:00Z"}


def delete(release: Release, *arguments: str) -> subprocess.CompletedProcess[str]:
    return release.cluster.kubectl("-n", release.namespace, "delete", "recon", *arguments, check=False)


def report(release: Release, name: str, status: dict[str, Any]) -> None:
    """Write the status, as the operator does."""
    path = f"{GROUP}/namespaces/{release.namespace}/reconstructionjobs/{name}/status"
    release.cluster.api.patch(path, {"status": status})


def create(release: Release, status: dict[str, Any]) -> str:
    """Create a job with a unique name and that status, and return its name."""
    name = f"job-{secrets.token_hex(3)}"
    release.create_job(name)
    report(release, name, status)
    return name


def exists(release: Release, name: str) -> bool:
    return release.cluster.kubectl("-n", release.namespace, "get", "recon", name, check=False).returncode == 0


@pytest.fixture(scope="module")
def protected(shared_release: Release) -> Release:
    """A release with the policy in effect."""
    shared_release.install(deletionProtection={"enabled": True})
    name = create(shared_release, RUNNING)
    wait_until(
        lambda: "the job is running" in delete(shared_release, name, "--dry-run=server").stderr,
        "the policy to be in effect",
        timeout_seconds=SETTLE_SECONDS,
    )
    return shared_release


def test_a_running_job_is_deleted_only_if_an_annotation_allows_it(protected: Release) -> None:
    name = create(protected, RUNNING)

    refused = delete(protected, name)
    assert refused.returncode != 0
    assert f"or allow the deletion with kubectl annotate recon {name} {ALLOW}=true" in refused.stderr
    assert delete(protected, "--all").returncode != 0
    assert exists(protected, name)

    protected.kubectl("annotate", "recon", name, f"{ALLOW}=true")
    assert delete(protected, name).returncode == 0
    assert not exists(protected, name)


def test_a_job_whose_cancel_is_confirmed_may_be_deleted(protected: Release) -> None:
    name = create(protected, RUNNING)
    for step in ("cancelRequested", "cancelConfirmed"):
        assert delete(protected, name).returncode != 0
        protected.kubectl("patch", "recon", name, "--type=merge", "-p", json.dumps({"spec": {step: True}}))

    assert delete(protected, name).returncode == 0


@pytest.mark.parametrize(
    ("status", "refused"),
    [
        pytest.param({}, False, id="new"),
        pytest.param({"phase": "Queued"}, False, id="queued"),
        pytest.param({"phase": "Suspended"}, False, id="suspended"),
        pytest.param(RUNNING | {"phase": "Pending"}, True, id="between-two-attempts"),
        pytest.param(RUNNING | {"phase": "Queued"}, True, id="queued-for-another-attempt"),
        pytest.param(RUNNING | {"phase": "Succeeded"}, False, id="succeeded"),
        pytest.param(RUNNING | {"phase": "Failed"}, False, id="failed"),
        pytest.param(RUNNING | {"phase": "Cancelled"}, False, id="cancelled"),
    ],
)
def test_only_a_job_that_has_begun_and_not_ended_is_protected(
    protected: Release, status: dict[str, Any], *, refused: bool
) -> None:
    name = create(protected, status)

    assert (delete(protected, name).returncode != 0) is refused


def test_the_deletion_of_a_namespace_is_not_blocked(protected: Release) -> None:
    cluster, namespace = protected.cluster, f"{protected.namespace}-b"
    cluster.kubectl("create", "namespace", namespace)
    other = Release(cluster, namespace)
    assert delete(other, create(other, RUNNING)).returncode != 0

    cluster.kubectl("delete", "namespace", namespace, "--timeout=60s")
    assert cluster.kubectl("get", "namespace", namespace, check=False).returncode != 0


@pytest.mark.release
def test_the_garbage_collector_deletes_a_running_job_of_a_deleted_owner(protected: Release) -> None:
    protected.kubectl("create", "configmap", "owner")
    uid = json.loads(protected.kubectl("get", "configmap", "owner", "-o", "json"))["metadata"]["uid"]
    name = create(protected, RUNNING)
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    body = json.dumps({"metadata": {"ownerReferences": [owner]}})
    protected.kubectl("patch", "recon", name, "--type=merge", "-p", body)

    protected.kubectl("delete", "configmap", "owner")
    wait_until(lambda: not exists(protected, name), f"{name} to be collected", timeout_seconds=120)
