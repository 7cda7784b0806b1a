"""`kubectl recon why` on a running system: no test writes a status."""

from __future__ import annotations

import json
from typing import Any

from devcluster.harness.jobs import Jobs, condition
from tests.support.plugin import Program


def situation(recon: Program, name: str) -> str:
    found: dict[str, Any] = json.loads(recon("why", name, "-o", "json").stdout)
    assert found["actions"]
    return str(found["situation"])


def test_waiting_jobs_are_explained(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "queued", queue=held)
    jobs.create_in("Suspended", "sleeping", suspend=True)
    jobs.create("typo", queue="gpu-larg")
    jobs.wait("typo", "unserved", lambda job: condition(job, "Dispatched").get("reason") == "QueueUnserved")
    assert situation(recon, "queued") == "queued"
    assert situation(recon, "sleeping") == "suspended"
    assert situation(recon, "typo") == "queue-unserved"
    jobs.create("unknown-model", modelType="reconviagen")
    jobs.wait("unknown-model", "unserved", lambda job: condition(job, "Dispatched").get("reason") == "ModelUnserved")
    assert situation(recon, "unknown-model") == "model-unserved"
    jobs.create("foreign", managedBy="example.com/other")
    assert situation(recon, "foreign") == "managed-by-another"


def test_running_and_cancelled_jobs_are_explained(jobs: Jobs, recon: Program) -> None:
    jobs.create_in("Running", "running", queue="slow")
    assert situation(recon, "running") == "running"
    jobs.request_cancel("running")
    jobs.wait("running", "announced", lambda job: job["status"]["observedGeneration"] == job["metadata"]["generation"])
    assert situation(recon, "running") == "cancel-announced"
    jobs.confirm_cancel("running")
    jobs.wait_phase("running", "Cancelled")
    assert situation(recon, "running") == "cancelled"


def test_finished_jobs_are_explained(jobs: Jobs, recon: Program) -> None:
    jobs.create("simulated")
    jobs.create("nowhere", modelType="photogrammetry", input={"uri": "file:///nowhere"})
    jobs.create("wrong-parameter", modelType="photogrammetry", parameters={"nonsense": 1})
    jobs.create("late", queue="slow", activeDeadlineSeconds=1)
    for name, wanted in {
        "simulated": "simulated",
        "nowhere": "input-address",
        "wrong-parameter": "spec-invalid",
        "late": "timed-out",
    }.items():
        jobs.wait_finished(name)
        assert situation(recon, name) == wanted
