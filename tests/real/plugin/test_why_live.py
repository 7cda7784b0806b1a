"""`kubectl recon why` on a running system: no test writes a status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator.api.verdict import sentence

from devcluster.harness.jobs import Jobs, condition, phase
from devcluster.harness.system import REPOSITORY
from devcluster.waiting import wait_until
from tests.support.plugin import Program


def situation(recon: Program, name: str) -> str:
    answer: dict[str, Any] = json.loads(recon("why", name, "-o", "json").stdout)
    assert answer["actions"]
    return str(answer["situation"])


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


@pytest.mark.release
def test_a_job_that_lost_two_workers_and_its_model_waits_for_the_model_everywhere(
    jobs: Jobs, recon: Program, tmp_path: Path
) -> None:
    """The worker that died was the only one with the model: the job is in quarantine as well, but that is not what it
    waits for.
    """
    system, pool = jobs.system, {"WORKER_POOLS": "doomed"}
    rough = {"PYTHONPATH": f"{REPOSITORY}/tests/data/models", "ROUGH_MODELS_SIGNS": str(tmp_path)}
    # Their registration expires before the loss of the attempt counts, so no further one is sent
    rough["WORKER_TTL_SECONDS"] = "1"
    system.start_worker("doomed-1", concurrency=1, **pool, **rough)
    jobs.create("banana", modelType="rough-patient", queue="doomed", backoffLimit=5)
    jobs.wait_phase("banana", "Running")
    system.processes["doomed-1"].kill()
    system.start_worker("doomed-2", concurrency=1, **pool, **rough)
    jobs.wait("banana", "running again", lambda job: phase(job) == "Running" and job["status"].get("failures") == 1)
    system.processes["doomed-2"].kill()
    wait_until(lambda: "doomed-2@127.0.0.1" not in system.nodes(), "the registration of the dead worker to expire")
    system.start_worker("plain", concurrency=1, **pool)

    job = jobs.wait("banana", "without its model", lambda job: job["status"].get("reason") == "no model")

    status, dispatched = job["status"], condition(job, "Dispatched")
    assert (status["failures"], status["failure"]["reason"], dispatched["reason"]) == (
        2,
        "WORKER_LOST",
        "ModelUnserved",
    )
    assert status["message"].startswith("Waiting for a worker with model rough-patient: those of queue doomed have ")
    assert {dispatched["message"], sentence(status)} == {status["message"]}, "as the gallery's list shows it"
    assert situation(recon, "banana") == "model-unserved"
    for name in ("doomed-1", "doomed-2"):
        del system.processes[name]


def test_a_running_job_is_explained(jobs: Jobs, recon: Program) -> None:
    jobs.create_in("Running", "running", queue="slow")
    assert situation(recon, "running") == "running"


def test_a_cancelled_job_is_explained_at_each_step(jobs: Jobs, recon: Program) -> None:
    jobs.create_in("Running", "stopped", queue="slow")
    jobs.request_cancel("stopped")
    jobs.wait("stopped", "announced", lambda job: job["status"]["observedGeneration"] == job["metadata"]["generation"])
    assert situation(recon, "stopped") == "cancel-announced"
    jobs.confirm_cancel("stopped")
    jobs.wait_phase("stopped", "Cancelled")
    assert situation(recon, "stopped") == "cancelled"


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
