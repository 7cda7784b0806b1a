"""kube-state-metrics with our configuration and role on real jobs: every metric has a series."""

from collections.abc import Iterator

import pytest
import yaml
from prometheus_client.samples import Sample

from devcluster import wait_until
from devcluster.harness.dashboards.kube_state_metrics import KubeStateMetrics
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import REPOSITORY, System

BUILD_SECONDS = 1800
pytestmark = [pytest.mark.release, pytest.mark.timeout(BUILD_SECONDS)]

FOLDER = REPOSITORY / "manifests" / "integrations" / "kube-state-metrics"
(RESOURCE,) = yaml.safe_load((FOLDER / "custom-resource-state.yaml").read_text())["spec"]["resources"]
ACCOUNT = "kube-state-metrics"
ROLE = "kube-state-metrics-reconstructionjobs"
PREFIX = "kube_reconstructionjob_"


@pytest.fixture(scope="module")
def program(system: System) -> Iterator[KubeStateMetrics]:
    """kube-state-metrics with only the permissions of role.yaml."""
    kubectl = system.cluster.kubectl
    kubectl("apply", "-f", FOLDER / "role.yaml")
    kubectl("create", "serviceaccount", ACCOUNT)
    kubectl("create", "clusterrolebinding", ROLE, f"--clusterrole={ROLE}", f"--serviceaccount=default:{ACCOUNT}")
    kubeconfig = system.cluster.service_account_kubeconfig("default", ACCOUNT)
    with KubeStateMetrics(FOLDER / "custom-resource-state.yaml", kubeconfig=kubeconfig) as running:
        yield running


def wait_series(program: KubeStateMetrics, jobs: Jobs, name: str, metric: str, value: float, **labels: str) -> None:
    """Wait until the job has a series with that value."""
    wait_until(
        lambda: any(each.value == value for each in of(program, jobs, name, metric, **labels)),
        f"{metric} of {name} to be {value:g} with {labels}",
        seen=lambda: (of(program, jobs, name), program.log_ends()),
    )


def of(program: KubeStateMetrics, jobs: Jobs, name: str, metric: str = "", **labels: str) -> list[Sample]:
    """Return the series of a job, of one metric or all."""
    labels |= {"namespace": jobs.namespace, "reconstructionjob": name}
    return [
        each
        for each in program.samples()
        if each.name.startswith(PREFIX)
        and (not metric or each.name == PREFIX + metric)
        and labels.items() <= each.labels.items()
    ]


def test_a_finished_a_failed_and_a_waiting_job_have_all_series_together(program: KubeStateMetrics, jobs: Jobs) -> None:
    good = jobs.create()
    bad = jobs.create(modelType="photogrammetry", input={"uri": "file:///nowhere"})
    jobs.wait_finished(good)
    reason = jobs.wait_finished(bad)["status"]["failure"]["reason"]

    wait_series(program, jobs, good, "status_phase", 1, phase="Succeeded")
    wait_series(program, jobs, good, "status_phase", 0, phase="Failed")
    wait_series(program, jobs, good, "status_condition", 1, condition="Complete", reason="Succeeded")
    wait_series(program, jobs, good, "status_progress_percent", 100)
    wait_series(program, jobs, bad, "status_condition", 1, condition="Failed")
    wait_series(program, jobs, bad, "status_failure_info", 1, reason=reason)
    (completed,) = of(program, jobs, good, "status_completion_time")
    (started,) = of(program, jobs, good, "status_start_time")
    assert completed.value >= started.value
    served = {each.name for name in (good, bad) for each in of(program, jobs, name)}
    expected = {PREFIX + metric["name"] for metric in RESOURCE["metrics"]}
    # A placeholder reads no photos, so its status has no number of them.
    assert expected - served == {f"{PREFIX}status_inputs_images"}

    waiting = jobs.create(queue="unserved")
    jobs.request_cancel(waiting)
    wait_series(program, jobs, waiting, "spec_cancel_requested", 1)
    wait_series(program, jobs, waiting, "spec_suspend", 0)
