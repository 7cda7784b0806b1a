"""Pods: what the operator and the pools of workers have in common, and which security contexts can be overridden."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.support.chart import Objects, Refuse, Render, container_of, pod_of, pods
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


def account_of(objects: Objects, component: str) -> str:
    return str(pod_of(objects, component).get("serviceAccountName", "default"))


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


def test_the_worker_uses_only_the_listed_claims(render: Render) -> None:
    claims = [{"name": "gpu", "resourceClaimTemplateName": "gpu"}]
    used = [{"name": "gpu", "request": "large"}]

    objects = render({"workers": {"cpu": {"resourceClaims": claims, "resources": {"claims": used}}}})

    assert container_of(objects, "worker-cpu")["resources"]["claims"] == used
