"""Service accounts of the chart: real processes with their tokens have the permissions that they need."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from devcluster import Redis
from devcluster.harness.manifests import manifest
from devcluster.harness.system import GROUP, QUICK_SETTINGS, System
from devcluster.waiting import wait_until
from tests.real.chart.release import Release, rendered
from tests.support.paths import CHECKOUT

SELFTEST = (CHECKOUT / "charts/reconstruction-operator/files/selftest.py").read_text()
FINISHED_SECONDS = 120.0


@pytest.fixture(scope="module")
def system(shared_release: Release) -> Iterator[System]:
    """A release whose operator watches only its own namespace, with processes instead of pods."""
    release = shared_release
    release.install(operator={"watchNamespaces": [release.namespace]}, crds={"keep": False})
    with Redis() as redis, System(release.cluster, redis, settings=QUICK_SETTINGS) as running:
        account = release.cluster.service_account_kubeconfig(release.namespace, "reconstruction-operator")
        running.start_operator(
            KUBECONFIG=str(account), OPERATOR_NAMESPACE=release.namespace, WATCH_NAMESPACES=release.namespace
        )
        running.start_worker()
        yield running


def hooks(release: Release) -> list[dict[str, Any]]:
    """Return the objects that `helm test` creates before its pod."""
    return [
        manifest
        for manifest in rendered(release.namespace)
        if manifest["metadata"]["name"] == "reconstruction-test" and manifest["kind"] != "Pod"
    ]


def helm_test(release: Release, queue: str = "celery", seconds: str = "180") -> subprocess.CompletedProcess[str]:
    """Run the selftest as the pod of `helm test` does, with its account."""
    release.kubectl("apply", "-f", "-", text=yaml.safe_dump_all(hooks(release)))
    return selftest(release, "reconstruction-test", queue, seconds)


def selftest(release: Release, account: str, *options: str) -> subprocess.CompletedProcess[str]:
    kubeconfig = release.cluster.service_account_kubeconfig(release.namespace, account)
    command = [sys.executable, "-c", SELFTEST, release.namespace, *options]
    environment = {"KUBECONFIG": str(kubeconfig), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=250)


def test_helm_test_runs_a_job_and_deletes_it(system: System, shared_release: Release) -> None:
    done = helm_test(shared_release)

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].endswith(f"in namespace {shared_release.namespace}, queue celery")
    assert lines[-1] == "The self-test passed."
    assert any(line.startswith("Succeeded, 100") for line in lines), done.stdout
    assert shared_release.kubectl("get", "recon", "-o", "name") == ""


def test_helm_test_reports_the_last_phase_of_a_stuck_job_and_deletes_it(
    system: System, shared_release: Release
) -> None:
    done = helm_test(shared_release, "unserved", "5")

    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("The self-test failed. Last seen: Pending")
    assert shared_release.kubectl("get", "recon", "-o", "name") == ""


def test_helm_test_reports_a_missing_permission(system: System, shared_release: Release) -> None:
    done = selftest(shared_release, "default", "celery", "5")

    assert done.returncode == 1
    assert "The API server rejected the job of the self-test: 403 Forbidden" in done.stderr


def test_an_operator_of_one_namespace_ignores_other_namespaces(system: System, shared_release: Release) -> None:
    cluster = shared_release.cluster
    elsewhere = json.dumps(manifest("elsewhere", modelType="placeholder"))
    cluster.kubectl("-n", "default", "create", "-f", "-", input=elsewhere)
    shared_release.create_job("here")

    wait_until(
        lambda: phase(shared_release, shared_release.namespace, "here") == "Succeeded",
        "the job in its namespace to succeed",
        timeout_seconds=FINISHED_SECONDS,
        seen=lambda: phase(shared_release, shared_release.namespace, "here"),
    )

    assert phase(shared_release, "default", "elsewhere") == ""  # no operator has seen it
    cluster.kubectl("-n", "default", "delete", "recon", "elsewhere")


def test_an_operator_of_one_namespace_reads_the_uid_of_that_one_alone(system: System, shared_release: Release) -> None:
    release = shared_release
    release.create_job("noted")
    wait_until(
        lambda: phase(release, release.namespace, "noted") == "Succeeded",
        "the job to succeed",
        timeout_seconds=FINISHED_SECONDS,
        seen=lambda: phase(release, release.namespace, "noted"),
    )
    uid = release.cluster.api.get(f"{GROUP}/namespaces/{release.namespace}/reconstructionjobs/noted")["metadata"]["uid"]
    sealed = json.loads((system.jobs_dir / uid / "output" / "manifest.json").read_text())
    namespace = release.cluster.api.get(f"/api/v1/namespaces/{release.namespace}")
    assert sealed["attempt"]["job"]["namespaceUid"] == namespace["metadata"]["uid"]

    may = ["auth", "can-i", "get", "namespaces/default", "-n", "default"]
    account = f"--as=system:serviceaccount:{release.namespace}:reconstruction-operator"
    assert release.cluster.kubectl(*may, account, check=False).stdout.strip() == "no"


def phase(release: Release, namespace: str, name: str) -> str:
    return str(release.cluster.kubectl("-n", namespace, "get", "recon", name, "-o", "jsonpath={.status.phase}").stdout)
