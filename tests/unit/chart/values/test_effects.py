"""Effects of single values. Those of the default values, and of the shapes in `ci/`, are in tests/data/renders."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import pytest

from tests.support.chart import GPU, Ask, Objects, Render

OPERATOR, CPU, GALLERY = (f"Deployment/reconstruction-{name}" for name in ("operator", "worker-cpu", "gallery"))
SETTINGS, CLAIM = "ConfigMap/reconstruction-settings", "PersistentVolumeClaim/reconstruction-jobs"
METADATA: Final = "spec.template.metadata"
POD: Final = "spec.template.spec"
CONTAINER: Final = f"{POD}.containers.0"
OURS: Final = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
CLAIMS: Final = [{"name": "gpu", "request": "large"}]
NO_METRICS: Final = {"metrics": {"workerPort": 0}}
NO_PORTS: Final = {"metrics": {"workerPort": 0}, "probes": {"workerPort": 0}}
FROM: Final = {"networkPolicy": {"redisFrom": [{"namespaceSelector": {}}]}}
TO: Final = {"egress": True, "storageTo": [{}], "storagePorts": [1]}
NO_BUCKET: Final = {"gallery": {"enabled": True}, "networkPolicy": TO}
ONE: Final = {"replicas": 3, "autoscaling": {"enabled": True, "maxReplicas": 1}}
SCALED: Final = {"workers": {"cpu": ONE}, "keda": {"prometheusAddress": "http://p:9090"}}
TAG: Final = {"global": {"imageTag": "2"}}
PICTURES: Final = {
    "photos": [{"name": "scans", "existingClaim": "scans", "mountPath": "/photos"}],
    "gallery": {"enabled": True, "uploads": {"photosVolume": "scans"}},
    "settings": {"NAMESPACE_INPUTS": "*=/photos/{namespace}"},
}
DIFFERENT: Final = PICTURES | {"workers": {"cpu": {"settings": {"NAMESPACE_INPUTS": "a=/photos/a"}}, "big": {}}}
GALLERY_OF_MAPS: Final = {"gallery": {"enabled": True}, "operator": {"watchNamespaces": ["maps"]}}


def cpu(**values: Any) -> dict[str, Any]:
    return {"workers": {"cpu": values}}


def node(objects: Objects, name: str, path: str = "") -> Any:
    """Return what an object has at a path of keys, indexes, and names of items; None if the last one does not exist."""
    value: Any = objects.get(name)
    *folders, last = path.split(".")
    for key in folders:
        value = value[key] if isinstance(value, dict) else by_key(value)[key]
    if not last:
        return value
    return value.get(last) if isinstance(value, dict) else by_key(value).get(last)


def by_key(items: list[Any]) -> dict[str, Any]:
    """Return items by index, and by name."""
    numbered = {str(number): item for number, item in enumerate(items)}
    return numbered | {"-1": items[-1]} | {item["name"]: item for item in items if "name" in item}


EFFECTS: Final = {
    "queues from the settings": (
        {"settings": {"METRICS_POOLS": "a"}},
        OPERATOR,
        f"{CONTAINER}.env.METRICS_POOLS",
        None,
    ),
    "queues of stages by the jobs' own queues": (
        {"workers": {"cpu": {"queues": ["celery", "night"], "stageQueues": {"views": "big", "depth": "gpu"}}}},
        OPERATOR,
        f"{CONTAINER}.env.POOL_STAGE_QUEUES.value",
        "celery/depth=gpu,celery/views=big,night/depth=gpu,night/views=big",
    ),
    "no queues of stages": ({}, OPERATOR, f"{CONTAINER}.env.POOL_STAGE_QUEUES", None),
    "the lease of its own name": (
        {"fullnameOverride": "maps"},
        "Role/maps-operator",
        "rules.1.resourceNames",
        ["maps-operator"],
    ),
    "gallery's jobs of one namespace": (
        GALLERY_OF_MAPS,
        "RoleBinding/reconstruction-gallery-jobs",
        "metadata.namespace",
        "maps",
    ),
    "gallery's jobs of no other": (GALLERY_OF_MAPS, "ClusterRoleBinding/reconstruction-gallery-jobs", "", None),
    "gallery's namespaces": (GALLERY_OF_MAPS, GALLERY, f"{CONTAINER}.env.GALLERY_NAMESPACES.value", "maps"),
    "pool off": (cpu(enabled=False), CPU, "", None),
    "pool without replicas": (cpu(replicas=0), CPU, "spec.replicas", 0),
    "zero for a default": ({"workerDefaults": {"replicas": 4}} | cpu(replicas=0), CPU, "spec.replicas", 0),
    "zero seconds for a default": (
        {"workerDefaults": {"terminationGracePeriodSeconds": 500}} | cpu(terminationGracePeriodSeconds=0),
        CPU,
        f"{POD}.terminationGracePeriodSeconds",
        60,
    ),
    "empty text for a default": (
        {"workerDefaults": {"runtimeClassName": "nvidia"}} | cpu(runtimeClassName=""),
        CPU,
        f"{POD}.runtimeClassName",
        None,
    ),
    "empty list for a default": (
        {"workerDefaults": {"tolerations": [{"operator": "Exists"}]}} | cpu(tolerations=[]),
        CPU,
        f"{POD}.tolerations",
        None,
    ),
    "null for a default": (
        cpu(resources={"requests": None}),
        CPU,
        f"{CONTAINER}.resources",
        {"limits": {"memory": "8Gi"}},
    ),
    "account of a pool": (cpu(serviceAccount={"name": "ours"}), CPU, f"{POD}.serviceAccountName", "ours"),
    "only the listed claims": (
        cpu(resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "gpu"}], resources={"claims": CLAIMS}),
        CPU,
        f"{CONTAINER}.resources.claims",
        CLAIMS,
    ),
    "no budget of a pool of one": (SCALED, "PodDisruptionBudget/reconstruction-worker-cpu", "", None),
    "photos that the gallery shows": (PICTURES, GALLERY, f"{CONTAINER}.env.INPUT_ROOTS.value", "/photos"),
    "the grants of their namespaces": (
        PICTURES,
        GALLERY,
        f"{CONTAINER}.env.NAMESPACE_INPUTS.value",
        "*=/photos/{namespace}",
    ),
    "no pictures for pools that differ": (DIFFERENT, GALLERY, f"{CONTAINER}.env.INPUT_ROOTS.value", "/none"),
    "no grants for pools that differ": (DIFFERENT, GALLERY, f"{CONTAINER}.env.NAMESPACE_INPUTS", None),
    "no uploads: no pictures": ({"gallery": {"enabled": True}}, GALLERY, f"{CONTAINER}.env.INPUT_ROOTS", None),
    "no bucket: no connection": (NO_BUCKET, "NetworkPolicy/reconstruction-gallery", "spec.egress.-1.ports.0.port", 443),
    "tag of a pool": (cpu(image={"tag": "7"}) | TAG, CPU, f"{CONTAINER}.image", "reconstruction-worker:7"),
    "tag of Redis": (TAG, "StatefulSet/reconstruction-redis", f"{CONTAINER}.image", "docker.io/library/redis:7.4"),
    "own strategy": (cpu(strategy=OURS), CPU, "spec.strategy", OURS),
    "no metrics: no port": (NO_METRICS, CPU, f"{CONTAINER}.ports", [{"name": "probes", "containerPort": 8081}]),
    "no metrics: off in the image": (NO_METRICS, CPU, f"{CONTAINER}.env.WORKER_METRICS_PORT.value", "0"),
    "no metrics and probes: no ports": (NO_PORTS, CPU, f"{CONTAINER}.ports", None),
    "no probes: no probe": (NO_PORTS, CPU, f"{CONTAINER}.readinessProbe", None),
    "no probes: off in the image": (NO_PORTS, CPU, f"{CONTAINER}.env.WORKER_PROBE_PORT.value", "0"),
    "others at Redis": (
        FROM,
        "NetworkPolicy/reconstruction-redis",
        "spec.ingress.0.from.-1",
        {"namespaceSelector": {}},
    ),
    "no notifications": ({"notifications": {"hosts": ["a"]}}, OPERATOR, f"{CONTAINER}.env.NOTIFICATION_HOSTS", None),
    "no policies": ({"networkPolicy": {"enabled": False}}, "NetworkPolicy/reconstruction-operator", "", None),
    "no metrics: no connection": (NO_METRICS, "NetworkPolicy/reconstruction-worker-cpu", "spec.ingress", []),
    "storage class": ({"jobs": {"storageClassName": "fast"}}, CLAIM, "spec.storageClassName", "fast"),
    "no storage class": ({"jobs": {"storageClassName": "-"}}, CLAIM, "spec.storageClassName", ""),
    "large number": ({"settings": {"INPUT_MAX_BYTES": 8589934592}}, SETTINGS, "data.INPUT_MAX_BYTES", "8589934592"),
    "fraction": ({"settings": {"INPUT_MAX_BYTES": 0.5}}, SETTINGS, "data.INPUT_MAX_BYTES", "0.5"),
    "helm test on a queue of a pool": (
        {"workers": {"cpu": None} | GPU},
        "Pod/reconstruction-test",
        "spec.containers.0.args",
        ["recon", "gpu", "180"],
    ),
}


@pytest.mark.parametrize(("values", "name", "path", "expected"), EFFECTS.values(), ids=EFFECTS)
def test_a_value_has_its_effect(render: Render, values: dict[str, Any], name: str, path: str, expected: object) -> None:
    assert node(render(values), name, path) == expected


def test_autoscalers_leave_the_workers_of_a_pool_alone_if_asked(render: Render) -> None:
    def annotations(**values: Any) -> dict[str, str]:
        of_pods: dict[str, str] = node(render(cpu(podAnnotations={"a": "b"}, **values)), CPU, f"{METADATA}.annotations")
        return {name: value for name, value in of_pods.items() if name != "checksum/settings"}

    assert annotations() == {"a": "b"}
    assert annotations(doNotDisrupt=True) == {
        "a": "b",
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
        "karpenter.sh/do-not-disrupt": "true",
    }


@pytest.mark.parametrize("text", ["8Gi", "8G", "500m", "1.5Ki", "512k", "1e9", "128974848", ".5", 2, 0.25])
def test_every_form_of_a_quantity_is_accepted(render: Render, text: object) -> None:
    objects = render({"operator": {"resources": {"limits": {"memory": text}}}})

    assert node(objects, OPERATOR, f"{CONTAINER}.resources.limits.memory") == text


@pytest.mark.parametrize(
    "pool", [{"image": {"tag": "7-cuda"}}, {"image": {"digest": f"sha256:{'0' * 64}"}}, {"gpu": {"count": 0}}]
)
def test_a_gpu_pool_with_its_own_image_or_without_gpus_is_accepted(render: Render, pool: dict[str, Any]) -> None:
    assert node(render({"workers": {"gpu": {"enabled": True} | pool}}), "Deployment/reconstruction-worker-gpu")


def test_an_operator_of_several_namespaces_is_bound_in_each(ask: Ask) -> None:
    answer = ask("template", "reconstruction", "--set", "operator.watchNamespaces={maps,museum}")

    metadata = [manifest["metadata"] for manifest in json.loads(answer.stdout)]
    bound = [entry["namespace"] for entry in metadata if entry["name"] == "reconstruction-operator-jobs"]
    assert bound == ["maps", "museum"]


def test_a_changed_setting_changes_the_pods_that_read_it(render: Render) -> None:
    path = "spec.template.metadata.annotations"
    before = render()
    after = render({"settings": {"LOG_LEVEL": "DEBUG"}})

    assert all(node(before, name, path) != node(after, name, path) for name in (OPERATOR, CPU))


def test_each_release_has_its_own_password_which_needs_no_encoding_in_an_address(render: Render) -> None:
    first, second = (
        base64.b64decode(manifest["data"]["password"]).decode()
        for release in ("one", "two")
        for name, manifest in render(release=release).items()
        if name.startswith("Secret/")
    )

    assert first != second
    assert len(first) == 32
    assert first.isalnum()
