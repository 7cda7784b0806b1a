"""The configuration of kube-state-metrics on real objects: every metric has a series once a job has been through it."""

from __future__ import annotations

import pytest
import yaml

from devcluster.harness.jobs import Jobs
from devcluster.harness.state_metrics import Sample, samples
from devcluster.harness.system import REPOSITORY

pytestmark = pytest.mark.real

FILE = REPOSITORY / "manifests" / "integrations" / "kube-state-metrics" / "custom-resource-state.yaml"
(RESOURCE,) = yaml.safe_load(FILE.read_text())["spec"]["resources"]


def of(jobs: Jobs, name: str) -> list[Sample]:
    return list(samples(RESOURCE, jobs.get(name)))


def value(found: list[Sample], name: str, **labels: str) -> float:
    (one,) = [
        each
        for each in found
        if each.name == f"kube_reconstructionjob_{name}" and labels.items() <= each.labels.items()
    ]
    return one.value


def test_a_job_that_succeeded_and_one_that_failed_have_all_series_together(jobs: Jobs) -> None:
    good, bad = jobs.create(), jobs.create(modelType="photogrammetry", input={"uri": "file:///nowhere"})
    jobs.wait_finished(good)
    jobs.wait_finished(bad)
    succeeded, failed = of(jobs, good), of(jobs, bad)

    named = {one.name for one in (*succeeded, *failed)}
    expected = {f"kube_reconstructionjob_{metric['name']}" for metric in RESOURCE["metrics"]}
    # A placeholder reads no photos: its status has none.
    assert expected - named == {"kube_reconstructionjob_status_inputs_images"}
    assert all({"namespace", "reconstructionjob"} <= set(one.labels) for one in succeeded)
    assert value(succeeded, "status_phase", phase="Succeeded") == 1
    assert value(succeeded, "status_phase", phase="Failed") == 0
    assert value(succeeded, "status_condition", condition="Complete", reason="Succeeded") == 1
    assert value(succeeded, "status_progress_percent") == 100
    assert value(succeeded, "status_completion_time") >= value(succeeded, "status_start_time")
    assert value(failed, "status_condition", condition="Failed") == 1
    assert [one.labels["reason"] for one in failed if one.name.endswith("_status_failure_info")] == [
        jobs.get(bad)["status"]["failure"]["reason"]
    ]


def test_a_request_to_cancel_is_a_series(jobs: Jobs) -> None:
    name = jobs.create(queue="nobody")
    jobs.request_cancel(name)

    assert value(of(jobs, name), "spec_cancel_requested") == 1
    assert value(of(jobs, name), "spec_suspend") == 0
