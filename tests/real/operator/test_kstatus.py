"""kstatus: the state that Helm 4 and Flux compute from the status.

The rules are those of sigs.k8s.io/cli-utils pkg/kstatus for custom resources: a deletion, then the observed generation,
then the conditions Reconciling and Stalled, then Ready, otherwise Current.
"""

from typing import Any

import pytest

from devcluster.harness.jobs import Jobs, Seen
from devcluster.waiting import wait_until


def kstatus(job: dict[str, Any]) -> str:
    status = job.get("status", {})
    if "deletionTimestamp" in job["metadata"]:
        return "Terminating"
    observed = status.get("observedGeneration")
    if observed is not None and observed != job["metadata"]["generation"]:
        return "InProgress"
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    if conditions.get("Ready") in {"False", "Unknown"}:
        return "InProgress"
    return "Current"


@pytest.mark.parametrize(
    ("spec", "phase", "expected"),
    [
        pytest.param({"queue": "unserved"}, "Pending", "InProgress", id="pending"),
        pytest.param({"queue": "held"}, "Queued", "InProgress", id="queued"),
        pytest.param(
            {"modelType": "photogrammetry", "input": {"uri": "file:///nowhere"}}, "Failed", "Failed", id="failed"
        ),
    ],
)
@pytest.mark.usefixtures("held")
def test_the_state_in_each_phase(jobs: Jobs, spec: dict[str, Any], phase: str, expected: str) -> None:
    job = jobs.wait_phase(jobs.create(**spec), phase)

    assert kstatus(job) == expected


def test_a_cancelled_job_is_current_and_not_failed(jobs: Jobs) -> None:
    name = jobs.create(queue="unserved")
    jobs.cancel(name)

    assert kstatus(jobs.wait_phase(name, "Cancelled")) == "Current"


def test_a_job_is_in_progress_from_its_creation_and_current_only_after_its_end(jobs: Jobs, seen: Seen) -> None:
    name = jobs.create(queue="slow")
    jobs.wait_finished(name)

    wait_until(lambda: "Current" in [kstatus(event) for event in seen.of(name)], "the watch to show the end")
    readings = [kstatus(version) for version in seen.of(name)]

    assert set(readings[:-1]) <= {"InProgress", "Current"}
    first_current = readings.index("Current")
    assert all(version["status"]["phase"] == "Succeeded" for version in seen.of(name)[first_current:])
