"""Pods: what the operator and the pools of workers have in common, and which security contexts can be overridden."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.support.chart import RESTRICTED, Objects, Refuse, Render, container_of, labels, pod_of, pods, workload
from tests.support.paths import CHART

BOTH = pytest.mark.parametrize(
    ("component", "place"),
    [
        pytest.param("operator", ("operator",), id="operator"),
        pytest.param("worker-cpu", ("workers", "cpu"), id="a pool"),
        pytest.param("worker-cpu", ("workerDefaults",), id="all pools"),
    ],
)


def at(place: tuple[str, ...], **values: Any) -> dict[str, Any]:
    """Return the values of the operator or of a pool."""
    for name in reversed(place):
        values = {name: values}
    return values


SIDECAR = {"name": "sidecar", "image": "sidecar:1"}
COPIED: dict[str, Any] = {
    "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["redis.example.com"]}],
    "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    "initContainers": [SIDECAR],
}


@BOTH
@pytest.mark.parametrize("key", COPIED)
def test_a_value_is_copied_into_the_pod(render: Render, component: str, place: tuple[str, ...], key: str) -> None:
    assert key not in pod_of(render(), component)
    assert pod_of(render(at(place, **{key: COPIED[key]})), component)[key] == COPIED[key]


@BOTH
def test_extra_containers_follow_the_first(render: Render, component: str, place: tuple[str, ...]) -> None:
    containers = pod_of(render(at(place, extraContainers=[SIDECAR])), component)["containers"]

    assert containers == [container_of(render(), component), SIDECAR]


@BOTH
def test_sources_of_variables_follow_the_settings(render: Render, component: str, place: tuple[str, ...]) -> None:
    source = {"secretRef": {"name": "proxy"}}

    found = container_of(render(at(place, envFrom=[source])), component)["envFrom"]

    assert found == [{"configMapRef": {"name": "reconstruction-settings"}}, source]


# --- service accounts


def account_of(objects: Objects, component: str) -> str:
    return str(pod_of(objects, component).get("serviceAccountName", "default"))


@BOTH
@pytest.mark.parametrize("name", ["", "ours"])
def test_a_service_account_is_created(render: Render, component: str, place: tuple[str, ...], name: str) -> None:
    annotations = {"example.com/identity": "ours"}

    objects = render(at(place, serviceAccount={"create": True, "name": name, "annotations": annotations}))

    account = account_of(objects, component)
    assert account == (name or f"reconstruction-{component}")
    assert objects["ServiceAccount", account]["metadata"]["annotations"] == annotations
    assert objects["ServiceAccount", account]["automountServiceAccountToken"] is False


@BOTH
def test_an_existing_service_account_is_used(render: Render, component: str, place: tuple[str, ...]) -> None:
    objects = render(at(place, serviceAccount={"create": False, "name": "ours"}))

    assert account_of(objects, component) == "ours"
    assert {("ServiceAccount", "ours"), ("ServiceAccount", f"reconstruction-{component}")}.isdisjoint(objects)


def test_the_operators_permissions_are_bound_to_its_account(render: Render) -> None:
    values = {"serviceAccount": {"create": False, "name": "ours"}, "watchNamespaces": ["maps"]}

    objects = render({"operator": values})

    subjects = [
        one["subjects"]
        for (kind, name), one in objects.items()
        if "Binding" in kind and "operator" in name and "subjects" in one
    ]
    assert subjects == [[{"kind": "ServiceAccount", "name": "ours", "namespace": "recon"}]] * 3


def test_the_operator_never_shares_the_account_of_all_pods(refuse: Refuse) -> None:
    message = refuse({"operator": {"serviceAccount": {"create": False}}})

    assert "operator.serviceAccount.create is false: name the account in operator.serviceAccount.name" in message


def test_two_pools_cannot_create_the_same_account(refuse: Refuse) -> None:
    message = refuse({"workerDefaults": {"serviceAccount": {"create": True, "name": "ours"}}, "workers": {"large": {}}})

    assert "workers.cpu and workers.large both create the service account ours" in message


# --- security contexts


@BOTH
def test_keys_of_security_contexts_can_be_changed_or_removed(
    render: Render, component: str, place: tuple[str, ...]
) -> None:
    contexts = {
        "podSecurityContext": {"runAsUser": 1000750000, "runAsGroup": None},
        "securityContext": {"readOnlyRootFilesystem": None},
    }

    objects = render(at(place, **contexts))

    before = pod_of(render(), component)["securityContext"]
    assert pod_of(objects, component)["securityContext"] == {
        key: value for key, value in (before | {"runAsUser": 1000750000}).items() if key != "runAsGroup"
    }
    assert container_of(objects, component)["securityContext"] == {
        key: value for key, value in RESTRICTED.items() if key != "readOnlyRootFilesystem"
    }


ALLOWED_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret")
}


def refused_by_restricted_v2(pod: dict[str, Any]) -> list[str]:
    """Return the keys that OpenShift's SCC restricted-v2 would reject: users and groups that it assigns itself, and violations of
    its other requirements."""
    contexts = [pod["securityContext"], *(one["securityContext"] for one in pod["containers"])]
    found = [key for one in contexts for key in ("runAsUser", "runAsGroup", "fsGroup") if key in one]
    found += [key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    found += [kind for one in pod.get("volumes", []) for kind in one.keys() - {"name"} - ALLOWED_VOLUMES]
    for one in pod["containers"]:
        context = one["securityContext"]
        found += [key for key, value in {"allowPrivilegeEscalation": False}.items() if context.get(key) is not value]
        found += ["capabilities"] if context["capabilities"] != {"drop": ["ALL"]} else []
    return found


def test_openshift_accepts_every_pod_of_its_shape(render: Render) -> None:
    def refused(values: dict[str, Any]) -> dict[str, list[str]]:
        return {name: refused_by_restricted_v2(pod) for name, pod in pods(render(values))}

    shape = yaml.safe_load((CHART / "ci" / "openshift-values.yaml").read_text())

    assert {*map(tuple, refused({}).values())} == {("runAsUser", "runAsGroup"), ("runAsUser", "runAsGroup", "fsGroup")}
    assert refused(shape) == {
        "reconstruction-operator": [],
        "reconstruction-redis": [],
        "reconstruction-test": [],
        "reconstruction-worker-cpu": [],
    }


# --- devices


def test_a_worker_uses_the_devices_that_its_pod_claims(render: Render) -> None:
    claims = [{"name": "gpu", "resourceClaimTemplateName": "gpu"}, {"name": "nic", "resourceClaimName": "nic"}]

    objects = render({"workers": {"cpu": {"resourceClaims": claims}}})

    assert pod_of(objects, "worker-cpu")["resourceClaims"] == claims
    assert container_of(objects, "worker-cpu")["resources"]["claims"] == [{"name": "gpu"}, {"name": "nic"}]


def test_the_worker_uses_only_the_listed_claims(render: Render) -> None:
    claims = [{"name": "gpu", "resourceClaimTemplateName": "gpu"}]
    used = [{"name": "gpu", "request": "large"}]

    objects = render({"workers": {"cpu": {"resourceClaims": claims, "resources": {"claims": used}}}})

    assert container_of(objects, "worker-cpu")["resources"]["claims"] == used


def test_the_shape_with_house_rules_changes_names_labels_and_accounts(render: Render) -> None:
    objects = render(yaml.safe_load((CHART / "ci" / "house-rules-values.yaml").read_text()))

    operator = objects["Deployment", "reconstruction-meshes-operator"]["spec"]
    assert operator["selector"]["matchLabels"] == labels("operator") | {"app.kubernetes.io/name": "meshes"}
    assert ("ServiceAccount", "reconstruction-meshes-worker-gpu") in objects
    assert objects["ConfigMap", "reconstruction-meshes-notes"]["data"] == {"release": "reconstruction"}
    assert workload(render(), "operator")["template"]["spec"].keys() < operator["template"]["spec"].keys()
