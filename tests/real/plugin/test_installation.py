"""What a tenant sees of the installation, with the role `reconstruction-editor` and no other right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from devcluster import wait_until
from devcluster.harness.jobs import Jobs, condition
from tests.support.plugin import Program


def document(tenant: Program, *arguments: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(tenant(*arguments, "-o", "json").stdout)
    return content


def states(tenant: Program) -> dict[str, str]:
    return {check["name"]: check["state"] for check in document(tenant, "doctor")["checks"]}


def wait_for_workers(tenant: Program) -> None:
    wait_until(lambda: states(tenant).get("Workers") == "ok", "the workers to be published", timeout_seconds=60)


def test_doctor_finds_no_fault_in_a_healthy_system(jobs: Jobs, tenant: Program) -> None:
    jobs.create_in("Succeeded", "good")
    wait_for_workers(tenant)
    done = tenant("doctor")
    assert (done.returncode, {line.split()[0] for line in done.stdout.splitlines()}) == (0, {"ok"}), done.stdout
    names = (
        "API server, CRD, Your rights, Operator, Clocks, Redis, Loop, Deletions, Namespaces, Workers, Installations, "
        "Versions"
    )
    assert list(states(tenant)) == names.split(", ")


def test_an_operator_that_has_ended_is_named_within_15_seconds(jobs: Jobs, tenant: Program, held: str) -> None:
    jobs.create_in("Queued", "waiting", queue=held)
    wait_for_workers(tenant)
    jobs.system.processes["operator"].kill()

    def away() -> bool:
        return bool(document(tenant, "why", "waiting")["situation"] == "operator-away")

    wait_until(away, "the answer", timeout_seconds=15, seen=lambda: tenant("why", "waiting").stdout)
    assert states(tenant)["Operator"] == "bad"


def test_live_workers_and_their_models_are_shown(jobs: Jobs, tenant: Program) -> None:
    jobs.create("typo", queue="gpu-larg")
    jobs.wait("typo", "unserved", lambda job: condition(job, "Dispatched").get("reason") == "QueueUnserved")
    wait_until(lambda: "\ncelery " in tenant("workers").stdout, "the workers to be published", timeout_seconds=60)
    queues = {queue["name"]: queue for queue in document(tenant, "workers")["queues"]}
    assert (queues["celery"]["workers"], queues["gpu-larg"]["workers"], queues["gpu-larg"]["waiting"]) == (1, 0, 1)
    assert "placeholder" in queues["celery"]["models"]
    table = tenant("workers").stdout.splitlines()
    assert table[0].split() == ["QUEUE", "WORKERS", "RUNNING", "WAITING", "MODELS"]
    models = {model["model"]: model for model in document(tenant, "models")["models"]}
    assert ("celery" in models["placeholder"]["served"], "stepSeconds" in models["placeholder"]["parameters"]) == (
        True,
        True,
    )
    assert states(tenant)["Workers"] == "bad"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--quality", "fsat"), "allowed is one of"),
        (("--upload", "s3://scans/"), "s3:// is not enabled here"),
    ],
)
def test_a_job_that_would_fail_is_refused_before_the_upload(
    jobs: Jobs, tenant: Program, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    wait_for_workers(tenant)
    (tmp_path / "vase").mkdir()
    (tmp_path / "vase" / "1.jpg").touch()  # not read
    done = tenant("submit", tmp_path / "vase", *options)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert tenant("get", "-o", "name").stdout == ""
