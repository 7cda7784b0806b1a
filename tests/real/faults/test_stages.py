"""An attempt continues from the last stage that an earlier one has finished, and reports it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devcluster import wait_until
from devcluster.harness.jobs import Jobs, Seen
from devcluster.harness.system import System

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

STEP_SECONDS = 2


def begin(jobs: Jobs, step: int) -> str:
    """Create a job and wait until it is in that step."""
    name = jobs.create(parameters={"stepSeconds": STEP_SECONDS})
    jobs.wait(name, f"in step {step}", lambda job: _step(job) >= step)
    return name


def _step(job: dict[str, Any]) -> int:
    index: int = job.get("status", {}).get("progress", {}).get("stepIndex", 0)
    return index


def check_resumed(jobs: Jobs, seen: Seen, name: str, stage: str, skipped: set[str]) -> dict[str, Any]:
    """Check that the job succeeds in its second attempt, which begins after that stage."""
    status: dict[str, Any] = jobs.wait_finished(name, timeout_seconds=120)["status"]
    assert (status["phase"], status["attempt"]) == ("Succeeded", 2)
    kind, _, note = jobs.wait_event(name, "ResumedFromStage")
    assert (kind, note) == ("Normal", f"Attempt 2 continues after stage {stage}")
    assert status["progress"]["resumedFrom"] == stage
    seen.assert_never_backwards(name)
    took = {step["name"]: step.get("seconds", 0) for step in status["steps"]}
    assert {step for step, seconds in took.items() if seconds < STEP_SECONDS - 1} == skipped
    assert len(took) == 6
    folder = jobs.folder(name)
    assert json.loads((folder / "output" / "manifest.json").read_text())["resumedFrom"] == stage
    assert [path.name for path in folder.iterdir()] == ["output"]
    return status


@pytest.mark.release
def test_the_attempt_after_a_killed_worker_continues_from_its_stage(jobs: Jobs, seen: Seen, system: System) -> None:
    name = begin(jobs, 3)
    wait_until(lambda: list(jobs.folder(name).glob("attempts/*/stages/preprocessed~*")), "the first stage to be sealed")
    (stages,) = jobs.folder(name).glob("attempts/*/stages")
    assert [path.name.partition("~")[0] for path in stages.iterdir()] == ["preprocessed"]
    (stages / ".reconstructed-01234567").mkdir()
    (stages / ".reconstructed-01234567" / "SIMULATED.txt").write_text("half of the next stage")

    system.processes["worker"].kill()
    system.start_worker("second", concurrency=4)

    status = check_resumed(jobs, seen, name, "preprocessed of attempt 1", {"Preprocessing images"})
    assert status["failures"] == 1


def test_a_resumed_job_continues_from_the_last_stage_it_finished(jobs: Jobs, seen: Seen) -> None:
    name = begin(jobs, 4)
    wait_until(
        lambda: list(jobs.folder(name).glob("attempts/*/stages/reconstructed~*")), "the second stage to be sealed"
    )

    jobs.patch(name, suspend=True)
    jobs.wait_phase(name, "Suspended")
    (attempt,) = jobs.folder(name).glob("attempts/*")
    assert sorted(path.name for path in attempt.iterdir()) == ["owner.json", "stages"]
    jobs.patch(name, suspend=False)

    skipped = {"Preprocessing images", "Running reconstruction"}
    check_resumed(jobs, seen, name, "reconstructed of attempt 1", skipped)
