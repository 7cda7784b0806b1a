"""Hostile objects of a tenant, which no policy rejects or which are older than the policies: no
other job is affected.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devcluster import Cluster, wait_until
from devcluster.harness.gallery import start_gallery
from devcluster.harness.jobs import Jobs
from devcluster.harness.manifests import manifest
from devcluster.harness.system import System
from tests.support.paths import CHECKOUT
from tests.support.plugin import Program
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
    """The API server without the policy, as where only the CRD was applied."""
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


@pytest.fixture
def hostile(jobs: Jobs, tmp_path: Path) -> Iterator[str]:
    """The name of a job whose managed fields, which no policy checks, are as deep as the API server stores them."""
    body = manifest("hostile", namespace=jobs.namespace, modelType="placeholder")
    entry = {"manager": "x", "operation": "Update", "apiVersion": body["apiVersion"], "fieldsType": "FieldsV1"}
    body["metadata"] |= {"managedFields": [{**entry, "fieldsV1": "FIELDS"}]}
    levels = 9_900
    file = tmp_path / "hostile.json"
    file.write_text(json.dumps(body).replace('"FIELDS"', '{"f:a":' * levels + "{}" + "}" * levels))
    jobs.kubectl("create", "--validate=false", "-f", str(file))
    yield "hostile"
    jobs.kubectl("delete", "recon", "hostile", "--ignore-not-found")


@pytest.mark.release
def test_a_gallery_serves_all_jobs_beside_deep_managed_fields(hostile: str, jobs: Jobs) -> None:
    gallery = start_gallery(jobs.system)  # whose first list contains the job
    token = jobs.system.cluster.api.token

    def names() -> set[str]:
        rows = gallery.request("GET", f"/api/namespaces/{jobs.namespace}/jobs", token=token).json["jobs"]
        return {row["name"] for row in rows}

    assert names() == {hostile}
    jobs.kubectl("label", "recon", hostile, "touched=true")  # an event of the watch
    jobs.create("beside")

    wait_until(lambda: names() == {hostile, "beside"}, "both jobs in the gallery", timeout_seconds=60.0, seen=names)
    assert gallery.probe("/healthz") == 200
    assert f"{jobs.namespace}/{hostile} is nested more than" in gallery.process.log.read_text()


@pytest.mark.release
def test_the_plugin_names_deep_managed_fields_and_serves_all_jobs(hostile: str, jobs: Jobs) -> None:
    recon = Program(jobs.system.cluster.kubeconfig, jobs.namespace)
    jobs.create("beside")
    jobs.wait_finished("beside")

    listed = recon("list", "-A")
    assert {line.split()[1] for line in listed.stdout.splitlines()[1:]} == {hostile, "beside"}
    assert f"{jobs.namespace}/{hostile} is nested more than" in listed.stderr

    checks = {check["name"]: check for check in json.loads(recon("doctor", "-o", "json").stdout)["checks"]}
    assert (checks["Objects"]["state"], f"{jobs.namespace}/{hostile}" in checks["Objects"]["text"]) == ("bad", True)
    assert recon("wait", "--for=succeeded", "beside").returncode == 0
    assert recon("watch", hostile, "--timeout=60s").returncode == 0
