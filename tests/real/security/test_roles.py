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
    """Two namespaces with a job each. User `ROLE-of-mine` has that role in `mine`, and no role in `theirs`."""

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


def job(name: str, namespace: str, **spec: Any) -> str:
    return json.dumps(manifest(name, namespace=namespace, modelType="placeholder", **spec))


@pytest.fixture(scope="module")
def tenants(cluster: Cluster) -> Iterator[Tenants]:
    cluster.kubectl("apply", "-f", CRD)
    wait_until(
        lambda: cluster.api.is_there("/apis/reconstruction.dev/v1alpha1"), "the API server to serve ReconstructionJobs"
    )
    templates = [f"--show-only=templates/roles/{pair}.yaml" for pair in ("users", "canceller")]
    people = helm(
        "template",
        "people",
        CHART,
        *templates,
        "--set=rbac.canceller.enabled=true,rbac.aggregate=false,fullnameOverride=people",
    ).stdout
    cluster.kubectl("apply", "-f", "-", input=people)
    names = [f"tenant-{secrets.token_hex(3)}" for _ in range(2)]
    for name in names:
        cluster.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
        cluster.kubectl("create", "-f", "-", input=job("job", name))
    pair = Tenants(cluster, *names)
    for role in ROLES:
        cluster.kubectl(
            "-n", pair.mine, "create", "rolebinding", role, f"--clusterrole=people-{role}", f"--user={role}-of-mine"
        )
    wait_until(
        # A new value each time: the label is accepted until the policy is in effect, and the same value is no change.
        lambda: (
            "you may change"
            in pair.attempt(
                *("canceller", "-n", pair.mine, "label", "--overwrite", "recon", "job", f"a={secrets.token_hex(3)}")
            ).stderr
        ),
        "the policy to be in effect",
        timeout_seconds=SETTLE_SECONDS,
    )
    yield pair
    cluster.kubectl("delete", "-f", "-", input=people)
    cluster.kubectl("delete", "namespace", *names, "--wait=false")


@pytest.fixture
def own(tenants: Tenants) -> Iterator[str]:
    """A job in `mine` that the test may change."""
    name = f"job-{secrets.token_hex(3)}"
    tenants.cluster.kubectl("create", "-f", "-", input=job(name, tenants.mine, activeDeadlineSeconds=600))
    yield name
    tenants.cluster.kubectl("-n", tenants.mine, "delete", "recon", name)


def patch(namespace: str, body: dict[str, Any], *more: str, name: str = "job") -> list[str]:
    return ["-n", namespace, "patch", "recon", name, "--type=merge", "-p", json.dumps(body), *more]


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


def test_a_canceller_may_neither_create_nor_delete_nor_otherwise_change(tenants: Tenants) -> None:
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
    question = ("auth", "can-i", "deletecollection", "reconstructionjobs.reconstruction.dev")
    assert tenants.attempt("canceller", "-n", mine, *question).stdout.strip() == "no"


def test_a_canceller_withdraws_a_request_and_cancels_in_two_steps(tenants: Tenants, own: str) -> None:
    for spec in (
        {"cancelRequested": True},
        {"cancelRequested": False},
        {"cancelRequested": True, "cancelReason": "wrong photos"},
        {"cancelConfirmed": True},
    ):
        assert tenants.attempt("canceller", *patch(tenants.mine, {"spec": spec}, name=own)).returncode == 0, spec


REFUSED: dict[str, dict[str, Any]] = {
    "another field": {"spec": {"suspend": True}},
    "a new field": {"spec": {"ttlSecondsAfterFinished": 5}},
    "another field beside a cancel": {"spec": {"cancelRequested": True, "backoffLimit": 9}},
    "a removed field": {"spec": {"activeDeadlineSeconds": None}},
    "a label": {"metadata": {"labels": {"a": "b"}}},
    "an annotation": {"metadata": {"annotations": {"a": "b"}}},
    "a finalizer": {"metadata": {"finalizers": ["example.com/mine"]}},
}


def test_a_canceller_gets_a_reason_for_every_other_change(tenants: Tenants, own: str) -> None:
    for what, body in REFUSED.items():
        done = tenants.attempt("canceller", *patch(tenants.mine, body, name=own))
        assert done.returncode == 1, what
        assert "you may change" in done.stderr, what


def test_the_policy_restricts_only_cancellers_without_other_rights(tenants: Tenants, own: str) -> None:
    def kubectl(*arguments: str) -> None:
        tenants.cluster.kubectl("-n", tenants.mine, *arguments)

    for role in ("canceller", "editor"):
        kubectl("create", "rolebinding", f"both-{role}", f"--clusterrole=people-{role}", "--user=both-of-mine")
    kubectl("create", "role", "bot", "--verb=get,patch", "--resource=reconstructionjobs.reconstruction.dev")
    kubectl("create", "rolebinding", "bot", "--role=bot", "--user=bot-of-mine")

    kubectl("label", "recon", own, "changed-by=administrator")
    suspend = True
    for user in ("editor", "both", "bot"):  # `bot` lacks the verb `cancel`
        assert tenants.attempt(user, *patch(tenants.mine, {"spec": {"suspend": suspend}}, name=own)).returncode == 0, (
            user
        )
        suspend = not suspend
