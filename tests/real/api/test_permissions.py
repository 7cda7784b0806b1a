"""Permissions of operator, viewers and editors: the roles of `manifests/install` on a real API server."""

import json
from urllib.parse import urlsplit

import pytest
from reconstruction_operator.kube.client import APPLY_PATCH

from devcluster import Cluster, wait_until
from devcluster.errors import ApiError
from devcluster.harness.kubectl import Kubectl
from devcluster.servers.api import ApiClient

_HOME = "reconstruction-system"
_GROUP = "reconstruction.dev"

_Rule = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]  # groups, resources, names, verbs

# The operator's rights in all namespaces, and in its own. They are compared as a whole; all other real tests use them.
_EVERYWHERE: set[_Rule] = {
    ((_GROUP,), ("reconstructionjobs",), (), ("get", "list", "watch", "delete")),
    ((_GROUP,), ("reconstructionjobs/status",), (), ("patch",)),
    (("events.k8s.io",), ("events",), (), ("create",)),
    (("",), ("namespaces",), (), ("get",)),
}
_AT_HOME: set[_Rule] = {
    (("coordination.k8s.io",), ("leases",), (), ("create",)),
    (("coordination.k8s.io",), ("leases",), ("reconstruction-operator",), ("get", "update")),
}


@pytest.fixture
def operator(installed: Cluster) -> ApiClient:
    """A client with the operator's own token, since kubectl needs more rights than the operator: it reads before it
    writes.
    """
    kubeconfig = json.loads(installed.service_account_kubeconfig(_HOME, "reconstruction-operator").read_text())
    port = urlsplit(installed.url).port
    return ApiClient(port, installed.ca, kubeconfig["users"][0]["user"]["token"])


def rules(client: ApiClient, namespace: str) -> set[_Rule]:
    """All rules of an account in a namespace, without those that every account has."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    status = client.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)["status"]
    assert not status["incomplete"]
    return {
        tuple(tuple(rule.get(part, ())) for part in ("apiGroups", "resources", "resourceNames", "verbs"))
        for rule in status["resourceRules"]
        if not {"authorization.k8s.io", "authentication.k8s.io", "certificates.k8s.io"} & set(rule["apiGroups"])
    }


def test_the_operator_has_only_its_rights_in_all_namespaces(operator: ApiClient, api_namespace: str) -> None:
    assert rules(operator, api_namespace) == _EVERYWHERE


def test_the_operator_writes_only_its_lease_in_its_own_namespace(operator: ApiClient) -> None:
    assert rules(operator, _HOME) == _EVERYWHERE | _AT_HOME


def test_the_operator_writes_the_info_of_its_installation_and_no_other_configmap(operator: ApiClient) -> None:
    own, maps = "reconstruction-info.reconstruction-system.reconstruction-operator", (("",), ("configmaps",))
    granted = {(*maps, (own,), ("create", "patch")), (*maps, (), ("get", "list", "watch"))}
    assert rules(operator, "kube-public") == _EVERYWHERE | granted
    path, body = "/api/v1/namespaces/kube-public/configmaps", {"apiVersion": "v1", "kind": "ConfigMap"}

    def apply(name: str) -> None:
        content = body | {"metadata": {"name": name}, "data": {"test": "{}"}}
        operator.request("PATCH", f"{path}/{name}?fieldManager=test", content, content_type=APPLY_PATCH)

    apply(own)
    for other in ("another", "reconstruction-info.team.reconstruction-operator"):
        with pytest.raises(ApiError, match="403"):
            apply(other)


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
