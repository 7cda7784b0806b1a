"""Operator: the default objects, then one value in each test."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.chart import (
    PART_OF,
    REDIS_ENV,
    RESTRICTED,
    Ask,
    Objects,
    Refuse,
    Render,
    container_of,
    env_of,
    labels,
    pod_of,
    unprivileged,
    workload,
)

SELECTOR = labels("operator")


def pod(objects: Objects) -> dict[str, Any]:
    return pod_of(objects, "operator")


def container(objects: Objects) -> dict[str, Any]:
    return container_of(objects, "operator")


def test_the_deployment_as_a_whole(render: Render) -> None:
    spec = workload(render(), "operator")

    assert spec["template"]["metadata"]["annotations"].keys() == {"checksum/settings"}
    del spec["template"]["metadata"]["annotations"]
    assert spec == {
        "replicas": 2,
        "revisionHistoryLimit": 10,
        "selector": {"matchLabels": SELECTOR},
        "template": {
            "metadata": {"labels": SELECTOR | PART_OF},
            "spec": {
                "serviceAccountName": "reconstruction-operator",
                "automountServiceAccountToken": True,
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": 30,
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 1,
                        "topologyKey": "kubernetes.io/hostname",
                        "whenUnsatisfiable": "ScheduleAnyway",
                        "labelSelector": {"matchLabels": SELECTOR},
                    }
                ],
                "securityContext": unprivileged(65532),
                "containers": [
                    {
                        "name": "operator",
                        "image": "reconstruction-operator:0.1.0",
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["reconstruction-operator", "run"],
                        "envFrom": [{"configMapRef": {"name": "reconstruction-settings"}}],
                        "env": [
                            {
                                "name": "OPERATOR_NAMESPACE",
                                "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}},
                            },
                            {"name": "LEASE_NAME", "value": "reconstruction-operator"},
                            {"name": "METRICS_POOLS", "value": "celery"},
                            *REDIS_ENV,
                        ],
                        "ports": [{"name": "http", "containerPort": 8080}],
                        "startupProbe": {
                            "httpGet": {"path": "/healthz", "port": "http"},
                            "periodSeconds": 2,
                            "failureThreshold": 60,
                        },
                        "livenessProbe": {
                            "httpGet": {"path": "/healthz", "port": "http"},
                            "periodSeconds": 10,
                            "timeoutSeconds": 5,
                            "failureThreshold": 3,
                        },
                        "readinessProbe": {
                            "httpGet": {"path": "/readyz", "port": "http"},
                            "periodSeconds": 5,
                            "timeoutSeconds": 5,
                            "failureThreshold": 3,
                        },
                        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
                        "securityContext": RESTRICTED,
                        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                    }
                ],
                "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
            },
        },
    }


PLACEMENT: dict[str, Any] = {
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
    "priorityClassName": "important",
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
    ],
}


@pytest.mark.parametrize("key", PLACEMENT)
def test_placement_values_are_copied_into_the_pod(render: Render, key: str) -> None:
    assert pod(render({"operator": {key: PLACEMENT[key]}}))[key] == PLACEMENT[key]


def test_extra_variables_and_volumes_follow_those_of_the_chart(render: Render) -> None:
    extra = {"name": "HTTPS_PROXY", "value": "http://proxy:3128"}
    volume = {"name": "certificates", "configMap": {"name": "ca"}}
    mount = {"name": "certificates", "mountPath": "/certificates"}

    objects = render({"operator": {"extraEnv": [extra], "extraVolumes": [volume], "extraVolumeMounts": [mount]}})

    assert container(objects)["env"][-1] == extra
    assert container(objects)["volumeMounts"][-1] == mount
    assert pod(objects)["volumes"][-1] == volume


@pytest.mark.parametrize(
    ("values", "pools"),
    [
        pytest.param({"workers": {"maps": {"queues": ["maps", "celery"]}}}, "celery,maps", id="all-pools"),
        pytest.param({"workers": {"cpu": {"enabled": False}}}, None, id="no-pool"),
        pytest.param({"settings": {"METRICS_POOLS": "maps"}}, None, id="as-in-the-settings"),
    ],
)
def test_the_operator_knows_the_queues_of_the_pools(render: Render, values: dict[str, Any], pools: str | None) -> None:
    """Without them, a pool that is scaled to zero would have no metric."""
    assert env_of(render(values), "operator").get("METRICS_POOLS") == pools


def test_labels_and_annotations_of_the_pods_are_added(render: Render) -> None:
    objects = render({"operator": {"podLabels": {"team": "maps"}, "podAnnotations": {"scrape": "true"}}})

    metadata = workload(objects, "operator")["template"]["metadata"]
    assert metadata["labels"] == SELECTOR | PART_OF | {"team": "maps"}
    assert metadata["annotations"]["scrape"] == "true"


def test_a_digest_overrides_the_tag(render: Render) -> None:
    digest = "sha256:" + "0" * 64

    objects = render({"operator": {"image": {"tag": "1.2.3", "digest": digest}}})

    assert container(objects)["image"] == f"reconstruction-operator@{digest}"


def test_disruption_budget_keeps_one_replica(render: Render) -> None:
    assert render()["PodDisruptionBudget", "reconstruction-operator"]["spec"] == {
        "minAvailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": SELECTOR},
    }


def test_the_operators_requests_have_a_priority_level_of_the_api_server(render: Render) -> None:
    spec = render()["FlowSchema", "reconstruction-operator"]["spec"]

    assert spec["priorityLevelConfiguration"] == {"name": "workload-high"}
    assert spec["rules"][0]["subjects"] == [
        {
            "kind": "ServiceAccount",
            "serviceAccount": {"name": "reconstruction-operator", "namespace": "recon"},
        }
    ]
    assert ("FlowSchema", "reconstruction-operator") not in render({"operator": {"flowSchema": False}})


# --- permissions


WORK = [
    {
        "apiGroups": ["reconstruction.dev"],
        "resources": ["reconstructionjobs"],
        "verbs": ["get", "list", "watch", "delete"],
    },
    {"apiGroups": ["reconstruction.dev"], "resources": ["reconstructionjobs/status"], "verbs": ["patch"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
]
OTHERS_LEASE = {
    "apiGroups": ["coordination.k8s.io"],
    "resources": ["leases"],
    "resourceNames": ["reconstruction-operator"],
    "verbs": ["get"],
}
CLUSTER_ID = [
    {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["kube-system"], "verbs": ["get"]},
    OTHERS_LEASE,
]
ACCOUNT = [{"kind": "ServiceAccount", "name": "reconstruction-operator", "namespace": "recon"}]


def test_operator_has_permissions_in_all_namespaces_and_for_its_lease(render: Render) -> None:
    objects = render()

    assert objects["ClusterRole", "reconstruction-operator"]["rules"] == WORK + CLUSTER_ID
    assert objects["ClusterRoleBinding", "reconstruction-operator"]["subjects"] == ACCOUNT
    assert objects["Role", "reconstruction-operator"]["rules"] == [
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get"]},
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": ["reconstruction-operator"],
            "verbs": ["update"],
        },
    ]


def test_operator_may_read_leases_of_its_own_name_and_of_the_usual_one(render: Render) -> None:
    objects = render({"fullnameOverride": "maps"})

    names = ["reconstruction-operator", "maps-operator"]
    assert objects["ClusterRole", "maps-operator"]["rules"][-1] == OTHERS_LEASE | {"resourceNames": names}


def test_operator_of_one_namespace_has_permissions_only_there(render: Render) -> None:
    objects = render({"operator": {"watchNamespaces": ["museum"]}})

    assert env_of(objects, "operator")["WATCH_NAMESPACES"] == "museum"
    assert objects["ClusterRole", "reconstruction-operator"]["rules"] == WORK
    assert objects["ClusterRole", "reconstruction-operator-cluster-id"]["rules"] == CLUSTER_ID
    assert WORK[-1] in objects["Role", "reconstruction-operator"]["rules"]  # Events about its Lease
    everywhere = objects["ClusterRoleBinding", "reconstruction-operator"]
    assert everywhere["roleRef"]["name"] == "reconstruction-operator-cluster-id"
    there = objects["RoleBinding", "reconstruction-operator-jobs"]
    assert there["metadata"]["namespace"] == "museum"
    assert there["roleRef"]["name"] == "reconstruction-operator"
    assert everywhere["subjects"] == there["subjects"] == ACCOUNT


def test_an_operator_of_several_namespaces_is_bound_in_each(ask: Ask, render: Render) -> None:
    answer = ask("template", "reconstruction", "--set", "operator.watchNamespaces={maps,museum}")

    metadata = [one["metadata"] for one in json.loads(answer.stdout)]
    bound = [one["namespace"] for one in metadata if one["name"] == "reconstruction-operator-jobs"]
    assert bound == ["maps", "museum"]


def test_user_roles_are_aggregated_to_view_edit_and_admin(render: Render) -> None:
    objects = render()

    def aggregated(role: str) -> set[str]:
        labels = objects["ClusterRole", role]["metadata"]["labels"]
        return {label.rpartition("-")[2] for label in labels if "aggregate-to" in label}

    assert aggregated("reconstruction-viewer") == {"view", "edit", "admin"}
    assert aggregated("reconstruction-editor") == {"edit", "admin"}


def test_user_roles_can_be_created_without_aggregation(render: Render) -> None:
    objects = render({"rbac": {"aggregate": False}})

    assert not any("aggregate" in label for (kind, _), one in objects.items() for label in one["metadata"]["labels"])


def test_a_policy_protects_running_jobs_and_exempts_the_named_users(render: Render) -> None:
    objects = render({"deletionProtection": {"enabled": True, "exemptUsers": ["cleaner", "system:gc"]}})
    added = objects.keys() - render().keys()

    name = "reconstruction-deletion-protection"
    assert added == {("ValidatingAdmissionPolicy", name), ("ValidatingAdmissionPolicyBinding", name)}
    conditions = objects["ValidatingAdmissionPolicy", name]["spec"]["matchConditions"]
    assert "!(request.userInfo.username in ['cleaner','system:gc'])" in [one["expression"] for one in conditions]


@pytest.mark.parametrize("user", ["a'b", 'a"b', "a\\b", ""])
def test_an_exempt_user_that_would_end_the_expression_is_rejected(refuse: Refuse, user: str) -> None:
    assert "exemptUsers" in refuse({"deletionProtection": {"enabled": True, "exemptUsers": [user]}})


def test_the_canceller_role_comes_with_the_policy_that_limits_it(render: Render) -> None:
    added = render({"rbac": {"canceller": {"enabled": True}}}).keys() - render().keys()

    assert added == {
        ("ClusterRole", "reconstruction-canceller"),
        ("ValidatingAdmissionPolicy", "reconstruction-canceller"),
        ("ValidatingAdmissionPolicyBinding", "reconstruction-canceller"),
    }
