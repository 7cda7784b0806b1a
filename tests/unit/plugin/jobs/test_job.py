import pytest
from kubectl_recon.jobs.job import FINISHED, MANAGED_BY, SPEC_DEFAULTS, Job
from reconstruction_operator.api import identity
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Phase
from reconstruction_operator.contract.pools import queue_name

from tests.support.plugin import job


def test_the_names_of_the_resource_match_the_operators() -> None:
    ours = (identity.GROUP, identity.VERSION, identity.KIND, identity.PLURAL)
    assert ours == (identity.GROUP, identity.VERSION, identity.KIND, identity.PLURAL)


def test_the_finished_phases_match_the_operators() -> None:
    assert [phase.value for phase in Phase if phase.finished] == list(FINISHED)


def test_the_defaults_of_a_spec_match_the_operators() -> None:
    spec = Spec()
    assert {"modelType": spec.model_type, "queue": spec.queue, "priority": spec.priority} == SPEC_DEFAULTS


def test_the_name_of_the_manager_matches_the_operators() -> None:
    assert MANAGED_BY == identity.MANAGER


@pytest.mark.parametrize("priority", ["low", "normal", "high"])
def test_the_name_of_the_queue_matches_the_operators(priority: str) -> None:
    assert job(spec={"queue": "gpu", "priority": priority}).full_queue == queue_name("gpu", priority)


def test_a_job_of_another_crd_version_has_empty_fields() -> None:
    bare = Job({"metadata": {"name": "x"}, "status": "nonsense"})
    assert (bare.name, bare.phase, bare.percent, bare.model, bare.conditions) == ("x", "", 0, "photogrammetry", {})


def test_tenths_of_a_percent_are_shown_if_the_operator_reports_them() -> None:
    assert job(progress={"percent": 43, "display": "43.7%"}).done == "43.7%"
    assert job(progress={"percent": 43}).done == "43%"


def test_a_finished_job_has_no_step() -> None:
    progress = {"percent": 100, "step": "Finalizing output", "etaSeconds": 3}
    assert job(phase="Running", progress=progress).step == "Finalizing output"
    assert job(phase="Succeeded", progress=progress).step == ""
    assert job(phase="Succeeded", progress=progress).eta_seconds is None
