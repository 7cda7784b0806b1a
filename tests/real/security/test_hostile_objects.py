"""Hostile objects of a tenant, stored before the policy on parameters existed: other jobs are unaffected."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devcluster import Cluster, wait_until
from devcluster.harness.jobs import Jobs
from devcluster.harness.manifests import manifest
from devcluster.harness.system import System
from tests.support.paths import CHECKOUT
from tests.support.systems import QUICK, SharedSystems

Store = Callable[[str, str], None]

_BINDING = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/reconstructionjobs-parameters"
_DEEP = ("lists", "mappings", "lists-985", "lists-600")  # names of jobs that Python cannot parse or cannot copy
_POLICY_SECONDS = 60.0  # until the API server follows a change of its policies


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    return start_system(QUICK, fresh=True)


@pytest.fixture
def unguarded(cluster: Cluster, system: System) -> Iterator[None]:
    """The API server without the policy, as before an upgrade of the CRD."""
    cluster.api.delete(_BINDING)
    yield
    cluster.kubectl("apply", "-f", CHECKOUT / "manifests" / "crd")


@pytest.fixture
def store(unguarded: None, jobs: Jobs, tmp_path: Path) -> Iterator[Store]:
    """Create a job with these parameters, given as JSON, as soon as the API server accepts them.

    kubectl creates, reads and deletes these objects, because Python's JSON parser cannot read them.
    """
    file = tmp_path / "job.json"

    def create(name: str, parameters: str) -> None:
        body = json.dumps(manifest(name, namespace=jobs.namespace, modelType="placeholder", parameters="PARAMETERS"))
        file.write_text(body.replace('"PARAMETERS"', parameters))
        arguments = ("create", "--validate=false", "-f", file)
        wait_until(
            lambda: jobs.system.cluster.kubectl(*arguments, check=False).returncode == 0,
            f"the API server to store {name}",
            timeout_seconds=_POLICY_SECONDS,
        )

    yield create
    jobs.kubectl("delete", "recon", *_DEEP, "--ignore-not-found")


def failure_of(jobs: Jobs, name: str) -> str:
    """Return reason and message of the failure in the status of a hostile job."""
    template = "jsonpath={.status.failure.reason}: {.status.failure.message}"
    return wait_until(
        lambda: text if (text := jobs.kubectl("get", "recon", name, "-o", template)) != ": " else None,
        f"the failure of {name}",
        timeout_seconds=_POLICY_SECONDS,
    )


def test_deeply_nested_objects_harm_no_other_job(store: Store, jobs: Jobs) -> None:
    store("lists", '{"a": ' + "[" * 9_990 + "]" * 9_990 + "}")
    for levels in (985, 600):  # too deep for the JSON parser together with its caller, and too deep to be copied
        store(f"lists-{levels}", '{"a": ' + "[" * levels + "]" * levels + "}")
    store("mappings", '{"a": ' + '{"a":' * 3_000 + "1" + "}" * 3_000 + "}")

    jobs.create("beside", modelType="placeholder")
    assert jobs.wait_finished("beside")["status"]["phase"] == "Succeeded"
    for name in _DEEP:
        assert failure_of(jobs, name).startswith("INVALID_SPEC: spec.parameters is nested more than 8 deep")


def test_an_operator_starts_beside_deeply_nested_objects(store: Store, jobs: Jobs) -> None:
    store("lists", '{"a": ' + "[" * 9_990 + "]" * 9_990 + "}")

    jobs.system.processes.pop("operator").stop()
    jobs.system.start_operator()
    jobs.create("beside", modelType="placeholder")
    assert jobs.wait_finished("beside")["status"]["phase"] == "Succeeded"
    assert failure_of(jobs, "lists").startswith("INVALID_SPEC: ")
