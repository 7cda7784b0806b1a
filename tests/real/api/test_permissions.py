"""Permissions of operator, viewers and editors: the roles of `manifests/install` on a real API server."""

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import pytest

from devcluster import ApiError, Cluster, wait_until
from devcluster.harness.kubectl import Kubectl
from devcluster.servers.api import ApiClient

_HOME = "reconstruction-system"
_GROUP = "reconstruction.dev"
_LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{_HOME}/leases"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"

_Rule = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]  # groups, resources, names, verbs

# The operator's rights in all namespaces, and in its own. They are compared as a whole.
_EVERYWHERE: set[_Rule] = {
    ((_GROUP,), ("reconstructionjobs",), (), ("get", "list", "watch", "delete")),
    ((_GROUP,), ("reconstructionjobs/status",), (), ("patch",)),
    (("events.k8s.io",), ("events",), (), ("create",)),
    (("",), ("namespaces",), ("kube-system",), ("get",)),
}
_AT_HOME: set[_Rule] = {
    (("coordination.k8s.io",), ("leases",), (), ("create",)),
    (("coordination.k8s.io",), ("leases",), ("reconstruction-operator",), ("get", "update")),
}


@pytest.fixture
def operator(installed: Cluster) -> ApiClient:
    """A client with the operator's own token, since kubectl needs more rights than the operator: it reads before it writes."""
    kubeconfig = json.loads(installed.service_account_kubeconfig(_HOME, "reconstruction-operator").read_text())
    port = urlsplit(installed.url).port
    return ApiClient(port, installed.ca, kubeconfig["users"][0]["user"]["token"])


def send(client: ApiClient, method: str, path: str, body: dict[str, Any] | None) -> object:
    return client.patch(path, body or {}) if method == "PATCH" else client.request(method, path, body)


def rules(client: ApiClient, namespace: str) -> set[_Rule]:
    """All rules of an account in a namespace, without those that every account has."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    found = client.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)["status"]["resourceRules"]
    return {
        tuple(tuple(rule.get(part, ())) for part in ("apiGroups", "resources", "resourceNames", "verbs"))  # type: ignore[misc]
        for rule in found
        if not {"authorization.k8s.io", "authentication.k8s.io"} & set(rule["apiGroups"])
    }


def test_the_operator_has_only_its_rights_in_all_namespaces(operator: ApiClient, api_namespace: str) -> None:
    assert rules(operator, api_namespace) == _EVERYWHERE


def test_the_operator_writes_only_its_lease_in_its_own_namespace(operator: ApiClient) -> None:
    assert rules(operator, _HOME) == _EVERYWHERE | _AT_HOME


_JOBS = f"/apis/{_GROUP}/v1alpha1/namespaces/test-api/reconstructionjobs"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("GET", f"/apis/{_GROUP}/v1alpha1/reconstructionjobs", None, id="list-jobs-of-all-namespaces"),
        pytest.param("GET", f"{_JOBS}/job", None, id="read-a-job"),
        pytest.param("GET", "/api/v1/namespaces/kube-system", None, id="read-the-id-of-the-cluster"),
        pytest.param("GET", f"/apis/{_GROUP}/v1alpha1", None, id="discover-the-resource"),
        pytest.param("GET", "/version", None, id="read-the-version"),
        pytest.param("PATCH", f"{_JOBS}/job/status", {"status": {"phase": "Pending"}}, id="write-a-status"),
        pytest.param("DELETE", f"{_JOBS}/job", None, id="delete-a-job-after-its-time"),
    ],
)
def test_the_operator_is_allowed(
    kubectl: Kubectl, operator: ApiClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    kubectl.create("job")

    assert send(operator, method, path, body)


_SPEC = {"spec": {"suspend": True}}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("GET", "/api/v1/secrets", None, id="list-secrets"),
        pytest.param("GET", f"/api/v1/namespaces/{_HOME}/secrets", None, id="list-secrets-of-its-own-namespace"),
        pytest.param("GET", "/api/v1/namespaces/test-api/pods", None, id="list-pods"),
        pytest.param("GET", f"/api/v1/namespaces/{_HOME}/configmaps", None, id="list-configmaps"),
        pytest.param("GET", "/api/v1/namespaces", None, id="list-namespaces"),
        pytest.param("GET", "/api/v1/namespaces/default", None, id="read-another-namespace"),
        pytest.param("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", None, id="list-definitions"),
        pytest.param("GET", f"{_LEASES.replace(_HOME, 'default')}/another", None, id="read-a-lease-elsewhere"),
        pytest.param("PUT", f"{_LEASES}/another", {"metadata": {"name": "another"}}, id="write-another-lease"),
        pytest.param("DELETE", f"{_LEASES}/reconstruction-operator", None, id="delete-its-lease"),
        pytest.param("GET", "/apis/events.k8s.io/v1/events", None, id="read-events"),
        pytest.param("POST", _JOBS, {"metadata": {"name": "mine"}}, id="make-a-job"),
        pytest.param("PATCH", f"{_JOBS}/job", _SPEC, id="change-a-spec"),
        pytest.param("PATCH", f"{_JOBS}/job", {"metadata": {"finalizers": ["a.b/c"]}}, id="add-a-finalizer"),
        pytest.param("PUT", f"{_JOBS}/job/status", {}, id="replace-a-status"),
        pytest.param("DELETE", _JOBS, None, id="delete-all-jobs-at-once"),
        pytest.param("POST", f"/api/v1/namespaces/{_HOME}/serviceaccounts", {}, id="make-an-account"),
        pytest.param(
            "POST",
            f"/api/v1/namespaces/{_HOME}/serviceaccounts/reconstruction-operator/token",
            {},
            id="make-itself-a-token",
        ),
        pytest.param("POST", f"{_RBAC}/clusterrolebindings", {}, id="make-itself-an-admin"),
    ],
)
def test_the_operator_is_forbidden(
    kubectl: Kubectl, operator: ApiClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    kubectl.create("job")

    with pytest.raises(ApiError) as refusal:
        send(operator, method, path, body)

    assert refusal.value.status == HTTPStatus.FORBIDDEN


def test_the_operator_can_create_an_event(kubectl: Kubectl, operator: ApiClient) -> None:
    kubectl.create("job")
    events = f"/apis/events.k8s.io/v1/namespaces/{kubectl.namespace}/events"
    event = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": "job-"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "reconstruction.dev/operator",
        "reportingInstance": "test",
        "action": "Dispatched",
        "reason": "Dispatched",
        "type": "Normal",
        "note": "a note",
        "regarding": {"apiVersion": f"{_GROUP}/v1alpha1", "kind": "ReconstructionJob", "name": "job"}
        | {"namespace": kubectl.namespace},
    }

    assert operator.post(events, event)["reason"] == "Dispatched"


def test_the_operator_can_create_read_and_renew_its_lease(installed: Cluster, operator: ApiClient) -> None:
    name = "reconstruction-operator"
    if installed.api.is_there(f"{_LEASES}/{name}"):
        installed.api.delete(f"{_LEASES}/{name}")
    lease: dict[str, Any] = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": {"holderIdentity": "test", "leaseDurationSeconds": 10},
    }

    operator.post(_LEASES, lease)
    read = operator.get(f"{_LEASES}/{name}")
    renewed = operator.request("PUT", f"{_LEASES}/{name}", read | {"spec": lease["spec"] | {"leaseTransitions": 1}})

    assert read["spec"]["holderIdentity"] == "test"
    assert renewed["spec"]["leaseTransitions"] == 1
    installed.api.delete(f"{_LEASES}/{name}")


def bind(kubectl: Kubectl, user: str, role: str) -> None:
    """Bind a cluster role to a user in the tests' namespace."""
    kubectl("create", "rolebinding", f"{user}-{role}", f"--clusterrole={role}", f"--user={user}")


_VIEWS = [("get", ""), ("list", ""), ("watch", ""), ("get", "/status")]
_EDITS = [("create", ""), ("update", ""), ("patch", ""), ("delete", ""), ("deletecollection", "")]
_NEVER = [("patch", "/status"), ("update", "/status")]


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        pytest.param("reconstruction-viewer", _VIEWS, id="our-viewer"),
        pytest.param("view", _VIEWS, id="viewers-of-the-namespace"),
        pytest.param("reconstruction-editor", _VIEWS + _EDITS, id="our-editor"),
        pytest.param("edit", _VIEWS + _EDITS, id="editors-of-the-namespace"),
        pytest.param("admin", _VIEWS + _EDITS, id="its-admins"),
    ],
)
def test_a_role_for_users_grants_the_rights_of_its_name(
    kubectl: Kubectl, role: str, allowed: list[tuple[str, str]]
) -> None:
    user = f"user-of-{role}"
    bind(kubectl, user, role)

    def may(verb: str, part: str) -> bool:
        """Ask like `kubectl auth can-i`."""
        wanted = {
            "namespace": kubectl.namespace,
            "verb": verb,
            "group": _GROUP,
            "resource": "reconstructionjobs",
            "subresource": part.lstrip("/"),
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": wanted},
        }
        answer = kubectl.cluster.api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    # The API server's authorizer follows a new binding a moment later.
    wait_until(lambda: may(*allowed[0]), f"the binding of {role}")
    assert [what for what in _VIEWS + _EDITS + _NEVER if may(*what)] == allowed


def test_a_right_does_not_extend_to_another_namespace(kubectl: Kubectl) -> None:
    bind(kubectl, "guest", "edit")

    answer = kubectl("get", "recon", "-n", "default", "--as=guest")

    assert not answer.accepted
    assert "(Forbidden)" in answer.text
