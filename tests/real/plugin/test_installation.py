"""`doctor`, `version`, `workers` and `models` on a real system, with metrics through the API server's proxy."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from devcluster import wait_until
from devcluster.harness.jobs import Jobs, condition
from devcluster.harness.system import OPERATOR_NAMESPACE, System
from tests.support.plugin import Program
from tests.support.systems import QUICK, SharedSystems

CONFINED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
PODS = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods"


def host_address() -> str:
    """Return an address of this machine other than loopback, which the API server's proxy rejects. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    """A system whose operator serves metrics on all addresses of the machine."""
    # The proxy of the API server does not reach loopback.
    return start_system(QUICK, operator={"PROBE_HOST": "0.0.0.0"})  # noqa: S104


@pytest.fixture
def operator_pod(jobs: Jobs) -> Iterator[str]:
    """A Pod object for the operator's process, as a Deployment would create it."""
    api = jobs.system.cluster.api
    labels = {
        "app.kubernetes.io/component": "operator",
        "app.kubernetes.io/part-of": "reconstruction",
        "app.kubernetes.io/version": "0.1.0",
    }
    ports = [{"name": "http", "containerPort": jobs.system.probe_ports["operator"]}]
    account = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/serviceaccounts"
    if not api.is_there(f"{account}/default"):
        api.post(account, {"metadata": {"name": "default"}})
    spec = {
        "automountServiceAccountToken": False,
        "nodeName": "nowhere",
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "operator", "image": "x", "ports": ports, "securityContext": CONFINED}],
    }
    api.post(PODS, {"metadata": {"name": "operator-0", "labels": labels}, "spec": spec})
    api.patch(f"{PODS}/operator-0/status", {"status": {"podIP": host_address(), "phase": "Running"}})
    yield "operator-0"
    api.delete(f"{PODS}/operator-0?gracePeriodSeconds=0")


def document(recon: Program, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(recon(*arguments, "-o", "json").stdout)
    return found


def states(recon: Program) -> dict[str, str]:
    return {check["name"]: check["state"] for check in document(recon, "doctor")["checks"]}


def test_doctor_finds_no_fault_in_a_healthy_system(jobs: Jobs, recon: Program, operator_pod: str) -> None:
    jobs.create_in("Succeeded", "good")
    wait_until(
        lambda: states(recon).get("Workers") == "ok", "the operator to see its worker", seen=lambda: states(recon)
    )
    done = recon("doctor")
    assert (done.returncode, "bad " in done.stdout) == (0, False), done.stdout
    found = states(recon)
    names = (
        "API server",
        "CRD",
        "Your rights",
        "Operator",
        "Clocks",
        "Redis",
        "Workers",
        "Write lag",
        "Installations",
        "Versions",
    )
    assert {name: found.get(name) for name in names} == dict.fromkeys(names, "ok")


def test_live_workers_are_counted_and_their_models_are_shown(jobs: Jobs, recon: Program, operator_pod: str) -> None:
    jobs.create("typo", queue="gpu-larg")
    jobs.wait("typo", "unserved", lambda job: condition(job, "Dispatched").get("reason") == "QueueUnserved")
    found = document(recon, "workers")
    assert (found["metrics"], found["everywhere"]) == (True, True)
    queues = {queue["name"]: queue["workers"] for queue in found["queues"]}
    assert queues["celery"] == 1
    assert "placeholder" in next(queue["models"] for queue in found["queues"] if queue["name"] == "celery")
    table = recon("workers").stdout.splitlines()
    assert table[0].split() == ["QUEUE", "WORKERS", "RUNNING", "WAITING", "MODELS"]
    served = {model["model"]: model["served"] for model in document(recon, "models")["models"]}
    assert served["placeholder"] == ["celery"]
    assert states(recon)["Workers"] == "bad"


def test_without_metrics_workers_reports_that_they_are_not_counted(jobs: Jobs, recon: Program) -> None:
    jobs.create("typo", queue="gpu-larg")
    jobs.wait("typo", "unserved", lambda job: condition(job, "Dispatched").get("reason") == "QueueUnserved")
    done = recon("workers")
    assert done.returncode == 0
    assert "Live workers are not counted: there is no pod of the operator" in done.stderr
    assert ["gpu-larg", "0", "0", "1"] in [line.split() for line in done.stdout.splitlines()]


def test_models_shows_the_outcomes_of_jobs(jobs: Jobs, recon: Program) -> None:
    jobs.create("simulated")
    jobs.create("missing", modelType="reconviagen")
    jobs.wait_finished("simulated")
    jobs.wait("missing", "unserved", lambda job: condition(job, "Dispatched").get("reason") == "ModelUnserved")
    used = {model["model"]: model for model in document(recon, "models")["models"]}
    assert (used["placeholder"]["simulated"] > 0, used["reconviagen"]["unavailable"] > 0) == (True, True)
    assert "not installed for" in recon("models").stdout


def test_compatible_versions_are_accepted(jobs: Jobs, recon: Program, operator_pod: str) -> None:
    found = document(recon, "version")
    assert found["operator"] == found["kubectl-recon"]
    assert found["crd"] == "reconstruction.dev/v1alpha1"
    assert recon("version").returncode == 0
