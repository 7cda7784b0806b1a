"""User roles: viewers, editors and cancellers of one namespace try each operation on a real API server."""

import json
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from devcluster import Cluster
from devcluster.harness.manifests import manifest
from devcluster.programs.helm import helm
from devcluster.waiting import wait_until
from tests.support.paths import CHART, CHECKOUT

CRD = CHECKOUT / "manifests" / "crd"
ROLES = ("viewer", "editor", "canceller")
SETTLE_SECONDS = 60.0  # a new policy takes effect within a second or so


@dataclass(frozen=True)
class Tenants:
    """Two namespaces with a job each. User `ROLE-of-mine` has that role in `mine`, and none in `theirs`."""

    cluster: Cluster
    mine: str
    theirs: str

    def attempt(self, role: str, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = self.cluster.kubectl(
            *arguments, f"--as={role}-of-mine", check=False, input=text
        )
        return done

    def assert_refused(self, role: str, attempts: Sequence[tuple[list[str], str | None]]) -> None:
        for arguments, text in attempts:
            done = self.attempt(role, *arguments, text=text)
            assert done.returncode == 1, arguments
            assert "orbidden" in done.stderr, done.stderr


def job(name: str, namespace: str) -> str:
    return json.dumps(manifest(name, namespace=namespace, modelType="placeholder"))


@pytest.fixture(scope="module")
def tenants(cluster: Cluster) -> Iterator[Tenants]:
    cluster.kubectl("apply", "-f", CRD)
    wait_until(
        lambda: cluster.api.is_there("/apis/reconstruction.dev/v1alpha1"), "the API server to serve ReconstructionJobs"
    )
    shown = [f"--show-only=templates/roles/{one}.yaml" for one in ("users", "canceller")]
    people = helm(
        "template",
        "people",
        CHART,
        *shown,
        "--set=rbac.canceller.enabled=true,rbac.aggregate=false,fullnameOverride=people",
    ).stdout
    cluster.kubectl("apply", "-f", "-", input=people)
    names = [f"tenant-{secrets.token_hex(3)}" for _ in range(2)]
    for name in names:
        cluster.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
        cluster.kubectl("create", "-f", "-", input=job("job", name))
    one = Tenants(cluster, *names)
    for role in ROLES:
        cluster.kubectl(
            "-n", one.mine, "create", "rolebinding", role, f"--clusterrole=people-{role}", f"--user={role}-of-mine"
        )
    wait_until(
        # Another value each time: until the policy is in effect the label is accepted, and the same value is no change.
        lambda: (
            "you may change"
            in one.attempt(
                *("canceller", "-n", one.mine, "label", "--overwrite", "recon", "job", f"a={secrets.token_hex(3)}")
            ).stderr
        ),
        "the policy to be in effect",
        timeout_seconds=SETTLE_SECONDS,
    )
    yield one
    cluster.kubectl("delete", "-f", "-", input=people)
    cluster.kubectl("delete", "namespace", *names, "--wait=false")


def patch(namespace: str, body: dict[str, Any], *more: str) -> list[str]:
    return ["-n", namespace, "patch", "recon", "job", "--type=merge", "-p", json.dumps(body), *more]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reads_the_jobs_of_its_namespace_and_no_other(role: str, tenants: Tenants) -> None:
    assert "job" in tenants.attempt(role, "-n", tenants.mine, "get", "recon").stdout
    for where in (["-n", tenants.theirs], ["--all-namespaces"]):
        assert "(Forbidden)" in tenants.attempt(role, "get", "recon", *where).stderr


@pytest.mark.parametrize("role", ["viewer", "editor"])
@pytest.mark.parametrize("resource", ["events", "events.events.k8s.io"])
def test_viewers_and_editors_read_the_events_of_their_namespace(role: str, resource: str, tenants: Tenants) -> None:
    assert tenants.attempt(role, "-n", tenants.mine, "get", resource).returncode == 0
    assert "(Forbidden)" in tenants.attempt(role, "-n", tenants.theirs, "get", resource).stderr


@pytest.mark.parametrize("role", ROLES)
def test_no_role_changes_a_job_of_another_namespace(role: str, tenants: Tenants) -> None:
    theirs = tenants.theirs
    before = tenants.cluster.kubectl("-n", theirs, "get", "recon", "job", "-o", "yaml").stdout
    attempts = [
        (patch(theirs, {"spec": {"cancelRequested": True}}), None),
        (patch(theirs, {"spec": {"suspend": True}}), None),
        (["-n", theirs, "delete", "recon", "job"], None),
        (["-n", theirs, "create", "-f", "-"], job("another", theirs)),
        (["apply", "--server-side", "-f", "-"], job("job", theirs)),
    ]
    tenants.assert_refused(role, attempts)
    assert tenants.cluster.kubectl("-n", theirs, "get", "recon", "job", "-o", "yaml").stdout == before


@pytest.mark.parametrize("role", ROLES)
def test_no_role_writes_a_status(role: str, tenants: Tenants) -> None:
    body = {"status": {"phase": "Succeeded"}}
    done = tenants.attempt(role, *patch(tenants.mine, body, "--subresource=status"))
    assert "orbidden" in done.stderr
    tenants.attempt(role, *patch(tenants.mine, body))  # accepted or not: this endpoint ignores the status
    path = f"/apis/reconstruction.dev/v1alpha1/namespaces/{tenants.mine}/reconstructionjobs/job"
    assert tenants.cluster.api.get(path).get("status", {}).get("phase") != "Succeeded"


def test_a_viewer_changes_nothing(tenants: Tenants) -> None:
    for arguments in (patch(tenants.mine, {"spec": {"suspend": True}}), ["-n", tenants.mine, "delete", "recon", "job"]):
        assert "orbidden" in tenants.attempt("viewer", *arguments).stderr


def test_an_editor_creates_changes_and_deletes_jobs(tenants: Tenants) -> None:
    assert tenants.attempt("editor", "create", "-f", "-", text=job("new", tenants.mine)).returncode == 0
    assert tenants.attempt("editor", "-n", tenants.mine, "label", "recon", "new", "a=b").returncode == 0
    assert tenants.attempt("editor", "-n", tenants.mine, "delete", "recon", "new").returncode == 0


def test_a_canceller_changes_only_the_two_fields_by_any_request(tenants: Tenants) -> None:
    mine = tenants.mine
    current = json.loads(tenants.cluster.kubectl("-n", mine, "get", "recon", "job", "-o", "json").stdout)
    more = current | {"spec": current["spec"] | {"suspend": True, "cancelRequested": True}}
    added = {"op": "add", "path": "/spec/suspend", "value": True}
    applied = json.loads(job("job", mine)) | {"spec": {"suspend": True, "input": {"uri": "file:///photos/banana"}}}
    attempts = [
        (["replace", "-f", "-"], json.dumps(more)),
        (["apply", "--server-side", "--force-conflicts", "-f", "-"], json.dumps(applied)),
        (["-n", mine, "patch", "recon", "job", "--type=json", "-p", json.dumps([added])], None),
        (["create", "-f", "-"], job("another", mine)),
        (["-n", mine, "delete", "recon", "job"], None),
    ]
    tenants.assert_refused("canceller", attempts)
    assert tenants.attempt("canceller", *patch(mine, {"spec": {"cancelRequested": True}})).returncode == 0
    assert tenants.attempt("canceller", *patch(mine, {"spec": {"cancelRequested": False}})).returncode == 0
