"""Two versions of the program, and of the CRD, at the same time: what docs/upgrading.md promises."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from devcluster import wait_until
from devcluster.harness.jobs import Jobs, phase
from devcluster.harness.system import System
from tests.support.paths import CHECKOUT, DATA
from tests.support.systems import SharedSystems

NEXT = {"PYTHONPATH": str(DATA / "next_version")}
CRD = CHECKOUT / "manifests/crd/reconstructionjobs.yaml"


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    """A system without processes: each test starts those of its versions."""
    return start_system(operator=False, fresh=True)


def apply(system: System, crd: dict[str, Any]) -> None:
    options = ("apply", "--server-side", "--force-conflicts", "--validate=false", "-f", "-")
    system.cluster.kubectl(*options, input=yaml.safe_dump(crd))


@pytest.fixture
def earlier_crd(system: System) -> Iterator[dict[str, Any]]:
    """A CRD without some of today's fields. Today's comes back after the test."""
    crd = yaml.safe_load(CRD.read_text())
    (version,) = crd["spec"]["versions"]
    fields = version["schema"]["openAPIV3Schema"]["properties"]
    del fields["status"]["properties"]["verdict"], fields["status"]["properties"]["outputs"]
    version["additionalPrinterColumns"] = version["additionalPrinterColumns"][:1]
    yield crd
    apply(system, yaml.safe_load(CRD.read_text()))


@pytest.mark.release
def test_jobs_run_on_while_operator_and_workers_become_the_next_version_and_go_back(system: System, jobs: Jobs) -> None:
    operator = system.start_operator("operator-1")
    worker = system.start_worker("worker-1", concurrency=2)
    name = jobs.create_in("Running", parameters={"stepSeconds": 2})

    operator.stop()
    operator = system.start_operator("operator-2", **NEXT)  # the next operator, an attempt of this worker
    sent = jobs.create(parameters={"stepSeconds": 0})  # its message has keys that this worker does not know
    assert phase(jobs.wait_finished(sent)) == "Succeeded"
    worker.stop()
    worker = system.start_worker("worker-2", concurrency=2, **NEXT)
    assert phase(jobs.wait_finished(name)) == "Succeeded"

    operator.stop()
    system.start_operator("operator-3")
    created = jobs.create()  # by the next worker, for this operator
    assert phase(jobs.wait_finished(created)) == "Succeeded"
    assert '"laterKey"' in (jobs.folder(created) / "output" / "manifest.json").read_text()
    worker.stop()
    system.start_worker("worker-3", concurrency=2)
    for job in (name, sent, created):
        assert jobs.get(job)["status"].get("failures", 0) == 0
        folder = jobs.folder(job)
        jobs.delete(job)
        wait_until(lambda folder=folder: not folder.exists(), "this worker to delete the next version's files")


@pytest.mark.release
def test_a_job_runs_on_while_an_earlier_crd_becomes_todays(
    system: System, jobs: Jobs, earlier_crd: dict[str, Any]
) -> None:
    apply(system, earlier_crd)
    system.start_worker("worker", concurrency=2)
    system.start_operator("operator")
    name = jobs.create_in("Running", parameters={"stepSeconds": 2})

    apply(system, yaml.safe_load(CRD.read_text()))

    status = jobs.wait_finished(name)["status"]
    assert (status["phase"], status.get("failures", 0), status["attempt"]) == ("Succeeded", 0, 1)
    assert status["outputs"]["uri"]
