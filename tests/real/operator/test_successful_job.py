"""A job that succeeds, as a user and a dashboard see it."""

import re

import pytest
from reconstruction_operator.api.status import ConditionType

from devcluster import wait_until
from devcluster.harness.jobs import Jobs, Seen

pytestmark = pytest.mark.long

STEPS = [
    "Loading input files",
    "Preprocessing images",
    "Running reconstruction",
    "Post-processing mesh",
    "Generating previews",
    "Finalizing output",
]


def test_a_watcher_sees_all_steps_in_order_each_time_with_all_conditions(jobs: Jobs, seen: Seen) -> None:
    name = jobs.create(queue="slow")

    job = jobs.wait_finished(name)

    assert job["status"]["phase"] == "Succeeded"
    assert seen.steps(name) == STEPS
    seen.assert_never_backwards(name)
    assert job["status"]["progress"]["percent"] == 100
    for version in [event for event in seen.of(name) if event.get("status", {}).get("phase")]:
        conditions = version["status"]["conditions"]
        assert {condition["type"] for condition in conditions} == set(ConditionType) - {
            ConditionType.CONTESTED,
            ConditionType.INPUT_CHECKED,
        }
        assert all(
            condition["observedGeneration"] == version["status"]["observedGeneration"] for condition in conditions
        )
        assert all(condition["lastTransitionTime"] and condition["reason"] for condition in conditions)


def test_each_step_of_its_life_is_a_line_of_the_operators_log(jobs: Jobs) -> None:
    name = jobs.create()
    uid = jobs.wait_finished(name)["metadata"]["uid"]

    log = jobs.system.processes["operator"].log
    steps = ["Accepted", "Dispatched", "Started", "Simulated", "Succeeded"]
    reasons = wait_until(
        lambda: (
            logged if len(logged := re.findall(rf"uid={uid} .* reason=(\w+)", log.read_text())) == len(steps) else []
        ),
        f"{steps} in the operator's log",
        timeout_seconds=60,
        seen=jobs.system.log_ends,
    )
    assert reasons == steps


def test_the_finished_status_names_the_outputs(jobs: Jobs) -> None:
    name = jobs.create()

    status = jobs.wait_finished(name)["status"]

    uid = jobs.get(name)["metadata"]["uid"]
    assert (status["attempt"], status["simulated"]) == (1, True)
    assert status["taskId"] == f"{uid}-1"
    assert status["worker"] == "worker@127.0.0.1"
    assert status["outputs"]["uri"].endswith(f"/{uid}/output")
    names = {file["name"] for file in status["outputs"]["files"]}
    assert "model.glb" in names
    assert len([name for name in names if name.startswith("preview_")]) >= 2
    assert all((jobs.folder(name) / "output" / each).is_file() for each in names)
    assert status["startTime"] <= status["completionTime"]
