"""Two-step cancel: at each step, only requested, and of jobs that do not run."""

from typing import Any

import pytest
import redis

from devcluster.harness.jobs import Jobs, is_true

STEPS = range(1, 7)
_SIX_SECONDS = {"stepSeconds": 1}  # in all steps together


def test_a_cancel_at_each_step_stops_the_job_and_deletes_its_files(jobs: Jobs, state: redis.Redis) -> None:
    slow = {"queue": "slow", "parameters": {"stepSeconds": 3}}  # on a busy machine a cancel takes seconds
    names = {step: jobs.create(f"cancel-at-{step}", **slow) for step in STEPS}
    for step, name in names.items():
        jobs.request_cancel(name)
        jobs.wait(
            name,
            f"at step {step}",
            lambda job, step=step: job.get("status", {}).get("progress", {}).get("stepIndex", 0) >= step,
        )
        jobs.confirm_cancel(name)

    for step, name in names.items():
        job = jobs.wait_phase(name, "Cancelled")
        assert job["status"]["progress"]["stepIndex"] == step
        assert (is_true(job, "Cancelled"), is_true(job, "Failed"), is_true(job, "Stalled")) == (True, False, False)
        cancel = job["status"]["cancel"]
        assert cancel["requestedAt"] <= cancel["confirmedAt"] <= cancel["acknowledgedAt"]
        uid = job["metadata"]["uid"]
        assert not (jobs.system.jobs_dir / uid / "output").exists()
        assert state.get(f"cancel:{uid}") == "1"  # it stays for its TTL, so that a late duplicate message stops too
        assert not state.exists(f"cancel_request:{uid}")


def test_a_request_alone_changes_only_the_condition(jobs: Jobs, state: redis.Redis) -> None:
    name = jobs.create_in("Running", queue="slow", parameters=_SIX_SECONDS)

    jobs.request_cancel(name)
    job = jobs.wait(name, "with a requested cancel", lambda job: is_true(job, "CancelRequested"))

    assert job["status"]["phase"] == "Running"
    assert state.get(f"cancel_request:{job['metadata']['uid']}") == "pending"
    assert jobs.wait_finished(name)["status"]["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("phase", "spec"),
    [
        pytest.param("Pending", {"queue": "unserved"}, id="pending"),
        pytest.param("Queued", {"queue": "held"}, id="queued"),
        pytest.param("Suspended", {"suspend": True}, id="suspended"),
    ],
)
@pytest.mark.usefixtures("held")
def test_a_job_that_does_not_run_is_cancelled_without_a_start(jobs: Jobs, phase: str, spec: dict[str, Any]) -> None:
    name = jobs.create_in(phase, **spec)

    jobs.cancel(name)

    assert "startTime" not in jobs.wait_phase(name, "Cancelled")["status"]
