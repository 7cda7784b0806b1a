"""A release's life on a real node, one step after the other: install, a mesh, a cancel, a drain, an upgrade, uninstall."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devcluster import wait_until
from devcluster.helm import helm
from devcluster.node import Node, images

HERE = Path(__file__).parent
CHART = images.CHECKOUT / "charts/reconstruction-operator"
EXAMPLES = images.CHECKOUT / "manifests/examples"
RELEASE = "reconstruction"
NAMESPACE = "reconstruction-system"
OPERATOR = "deployment/reconstruction-operator"
WORKERS = "deployment/reconstruction-worker-cpu"

pytestmark = pytest.mark.timeout(900)  # a mesh takes a minute on a quiet machine


def upgrade(node: Node, *options: str) -> str:
    """`helm upgrade --install --wait`, with the values of this folder."""
    command = ["upgrade", "--install", RELEASE, CHART, "--namespace", NAMESPACE, "--values", HERE / "values.yaml"]
    return helm(*command, "--wait", "--timeout=5m", *options, kubeconfig=node.kubeconfig, timeout_seconds=600).stdout


def get(node: Node, what: str, *options: str) -> Any:
    return json.loads(node.kubectl("get", what, *options, "-o", "json").stdout)


def job(node: Node, name: str) -> dict[str, Any]:
    found: dict[str, Any] = get(node, f"recon/{name}")
    return found


def apply(node: Node, example: str, name: str) -> None:
    """Apply one of the shipped examples, under a name of its own."""
    text = (EXAMPLES / f"{example}.yaml").read_text()
    node.kubectl("apply", "-f", "-", input=text.replace(f"  name: {example}\n", f"  name: {name}\n"))


def until(
    node: Node, name: str, holds: Callable[[dict[str, Any]], bool], what: str, timeout_seconds: float = 180
) -> Any:
    """Wait until something is true of a job's status; returns the job."""
    seen: list[dict[str, Any]] = []

    def look() -> bool:
        seen[:] = [job(node, name)]
        return holds(seen[0].get("status", {}))

    wait_until(look, f"{name}: {what}", timeout_seconds=timeout_seconds, seen=lambda: json.dumps(seen, indent=1))
    return seen[0]


def finished(node: Node, name: str, timeout_seconds: float = 300) -> dict[str, Any]:
    """The status of a job that has ended, as `kubectl wait` sees it."""
    node.kubectl(
        "wait",
        "--for=condition=Finished",
        f"recon/{name}",
        f"--timeout={timeout_seconds:.0f}s",
        timeout_seconds=timeout_seconds + 60,
    )
    status: dict[str, Any] = job(node, name)["status"]
    return status


def pods(node: Node) -> dict[str, dict[str, Any]]:
    """The pods of the release, by name."""
    return {pod["metadata"]["name"]: pod for pod in get(node, "pods", "-n", NAMESPACE)["items"]}


def restarts(node: Node) -> int:
    return sum(each["restartCount"] for pod in pods(node).values() for each in pod["status"]["containerStatuses"])


def worker_pod(status: dict[str, Any]) -> str:
    """The pod that a job runs in; a worker is called celery@POD."""
    return str(status["worker"]).rpartition("@")[2].partition("/")[0]


def test_the_chart_installs_into_a_namespace_that_enforces_the_restricted_standard(node: Node, disk: Path) -> None:
    node.kubectl("create", "namespace", NAMESPACE)
    node.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    volumes = (HERE / "volumes.yaml").read_text()
    for word, folder in {"FOLDER": disk, "PHOTOS": images.CHECKOUT / "examples/photos"}.items():
        volumes = volumes.replace(word, str(folder))
    node.kubectl("apply", "-f", "-", input=volumes)
    said = upgrade(node)
    assert "STATUS: deployed" in said
    assert {pod["status"]["phase"] for pod in pods(node).values()} == {"Running"}
    assert len(pods(node)) == 5  # two operators, two workers, a Redis


def test_helms_own_test_runs_a_job_to_its_end(node: Node) -> None:
    done = helm("test", RELEASE, "--namespace", NAMESPACE, "--timeout=5m", kubeconfig=node.kubeconfig)
    assert "Phase:          Succeeded" in done.stdout


def test_photos_become_a_mesh_in_a_worker_pod(node: Node, disk: Path) -> None:
    node.kubectl("apply", "-f", EXAMPLES / "banana.yaml")
    status = finished(node, "banana", timeout_seconds=800)
    assert (status["phase"], status.get("simulated", False), status["attempt"]) == ("Succeeded", False, 1)
    assert status["inputs"]["images"] == 12
    uid = job(node, "banana")["metadata"]["uid"]
    output = disk / "jobs" / uid / "output"
    meshes = list(output.rglob("*.glb"))
    assert {mesh.read_bytes()[:4] for mesh in meshes} == {b"glTF"}
    assert max(mesh.stat().st_size for mesh in meshes) > 100_000
    assert (output / "manifest.json").is_file()


def test_a_cancel_takes_two_steps(node: Node) -> None:
    apply(node, "placeholder", "cancelled")
    until(node, "cancelled", lambda status: status.get("phase") == "Running", "running")
    confirm = ["patch", "recon", "cancelled", "--type=merge", "-p", '{"spec":{"cancelConfirmed":true}}']
    assert node.kubectl(*confirm, check=False).returncode != 0
    node.kubectl("patch", "recon", "cancelled", "--type=merge", "-p", '{"spec":{"cancelRequested":true}}')
    until(node, "cancelled", lambda status: "requestedAt" in status.get("cancel", {}), "requested")
    assert job(node, "cancelled")["status"]["phase"] == "Running"
    node.kubectl(*confirm)
    assert finished(node, "cancelled")["phase"] == "Cancelled"


def test_a_job_whose_worker_is_drained_moves_and_counts_no_failure(node: Node) -> None:
    apply(node, "placeholder", "drained")
    before = until(node, "drained", lambda status: status.get("phase") == "Running", "running")["status"]
    pod = worker_pod(before)
    assert pod in pods(node)
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": NAMESPACE},
    }
    node.kubectl(
        "create",
        "--raw",
        f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction",
        "-f",
        "-",
        input=json.dumps(eviction),
    )
    status = finished(node, "drained")
    assert (status["phase"], status["attempt"], status.get("failures", 0)) == ("Succeeded", 2, 0)
    assert worker_pod(status) != pod


def test_a_job_survives_an_upgrade_that_replaces_every_pod(node: Node) -> None:
    node.kubectl("-n", NAMESPACE, "rollout", "status", WORKERS, "--timeout=300s", timeout_seconds=360)
    apply(node, "placeholder", "upgraded")
    until(node, "upgraded", lambda status: status.get("phase") == "Running", "running")
    old = {name for name in pods(node) if "redis" not in name}
    upgrade(node, "--set", "settings.LOG_LEVEL=DEBUG")
    status = finished(node, "upgraded")
    assert (status["phase"], status.get("failures", 0)) == ("Succeeded", 0)
    wait_until(lambda: old.isdisjoint(pods(node)), "the end of the old pods", timeout_seconds=180)


def test_a_rollback_brings_the_settings_back(node: Node) -> None:
    helm("rollback", RELEASE, "--namespace", NAMESPACE, "--wait", "--timeout=5m", kubeconfig=node.kubeconfig)
    settings = get(node, "configmap/reconstruction-settings", "-n", NAMESPACE)["data"]
    assert settings["LOG_LEVEL"] == "INFO"


def test_no_container_had_to_be_restarted(node: Node) -> None:
    assert restarts(node) == 0


def test_an_uninstall_keeps_jobs_and_results_and_leaves_nothing_stuck(node: Node, disk: Path) -> None:
    helm("uninstall", RELEASE, "--namespace", NAMESPACE, "--wait", "--timeout=5m", kubeconfig=node.kubeconfig)
    wait_until(lambda: not pods(node), "the end of all pods", timeout_seconds=180, seen=lambda: list(pods(node)))
    assert job(node, "banana")["status"]["phase"] == "Succeeded"
    assert list((disk / "jobs").glob("*/output/**/*.glb"))
    node.kubectl("delete", "crd", "reconstructionjobs.reconstruction.dev", "--timeout=120s")
    node.kubectl("delete", "namespace", NAMESPACE, "--timeout=120s")
