"""Values: each is documented and in the schema, which describes every key and checks types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from scripts.generate.chart import documented, resolved
from tests.support.chart import Ask, Refuse
from tests.support.paths import CHART

# Maps with the user's own keys.
FREE = {"settings", "workers", "photos", "imagePullSecrets", "global.imagePullSecrets", "workerDefaults.settings"}


VALUES = (CHART / "values.yaml").read_text()
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())


def schema_keys(node: dict[str, Any], root: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield every key of the schema, with dots, except those below a map with the user's keys."""
    for name, child in resolved(node, root).get("properties", {}).items():
        key = f"{path}.{name}" if path else name
        yield key
        if key not in FREE:
            yield from schema_keys(child, root, key)


def value_keys(values: dict[str, Any], keys: set[str], path: str = "") -> Iterator[str]:
    """Yield every key of values.yaml, with dots, except those inside a map that is one value."""
    for name, child in values.items():
        key = f"{path}.{name}" if path else name
        yield key
        if isinstance(child, dict) and any(other.startswith(f"{key}.") for other in keys):
            yield from value_keys(child, keys, key)


KEYS = set(schema_keys(SCHEMA, SCHEMA))
UNSET = {key for key in KEYS if re.search(r"resources\.(requests|limits|claims)$", key)}


def test_the_schema_has_exactly_the_keys_of_the_values() -> None:
    assert set(value_keys(yaml.safe_load(VALUES), KEYS)) - UNSET == KEYS - UNSET


def test_every_value_is_documented() -> None:
    meanings = {value.key: value.meaning for value in documented(VALUES)}
    whole = {key for key in KEYS if not any(other.startswith(f"{key}.") for other in KEYS) or "resources" in key}

    assert {key for key in whole - UNSET if len(meanings.get(key, "")) < 5} == set()
    assert meanings.keys() <= KEYS | {"workers.cpu", "workers.gpu"}


def undescribed(node: dict[str, Any], path: str) -> Iterator[str]:
    """Yield every key and definition of the schema without a description; items and map values may refer to a
    definition.
    """
    named = {f"{path}.{name}": child for name, child in node.get("properties", {}).items()}
    named |= {f"#{name}": child for name, child in node.get("definitions", {}).items()}
    others = {f"{path}.{key}": node[key] for key in ("items", "additionalProperties") if key in node}
    for name, child in (named | others).items():
        if len(child.get("description", "")) < 5 and not (name in others and "$ref" in child):
            yield name
        yield from undescribed(child, name)


def test_every_key_of_the_schema_is_described() -> None:
    assert list(undescribed(SCHEMA, "")) == []


@pytest.mark.parametrize(
    ("version", "options", "expected"),
    [
        pytest.param("1.35.9", (), None, id="an older server"),
        pytest.param("1.36.0-eks-1", (), False, id="a server with user namespaces"),
        pytest.param("1.36.0", ("jobs.accessModes={ReadWriteMany}",), None, id="a volume of several nodes"),
        pytest.param("1.36.0", ("workers.cpu.runtimeClassName=gvisor",), None, id="another runtime"),
        pytest.param("1.36.0", ("workers.cpu.podSecurityContext.runAsUser=null",), None, id="a user of the cluster"),
        pytest.param("1.36.0", ("workers.cpu.hostUsers=true",), True, id="off"),
        pytest.param("1.35.9", ("workerDefaults.hostUsers=false",), False, id="on"),
    ],
)
def test_workers_have_a_user_namespace_where_it_works(
    ask: Ask, version: str, options: tuple[str, ...], expected: object
) -> None:
    done = ask("template", "reconstruction", "--kube-version", version, *(f"--set={option}" for option in options))
    (pod,) = (
        manifest["spec"]["template"]["spec"]
        for manifest in json.loads(done.stdout)
        if manifest["kind"] == "Deployment" and "worker" in manifest["metadata"]["name"]
    )
    assert pod.get("hostUsers") == expected


def quantity(text: object) -> dict[str, Any]:
    return {"operator": {"resources": {"limits": {"memory": text}}}}


def gallery(**values: Any) -> dict[str, Any]:
    return {"gallery": {"enabled": True, **values}}


REFUSED = {
    "priority": ({"workers": {"a": {"queues": ["x-high"]}}}, "x-high is a priority of the queue x"),
    # The pool cpu has the same queue.
    "namespaces of a shared queue": (
        {"workers": {"a": {"namespaces": ["maps"]}}},
        "another pool has the queue celery, and other namespaces: give both the same list",
    ),
    "queues of stages of a shared queue": (
        {"workers": {"a": {"stageQueues": {"depth": "gpu"}}}},
        "another pool has the queue celery, and other queues of stages: give both the same",
    ),
    "pool": ({"workers": {"CPU": {}}}, "workers.CPU: the name of a pool has at most 15 small letters"),
    "type": ({"operator": {"replicas": "two"}}, "'/operator/replicas': got string, want integer"),
    "choice": ({"image": {"pullPolicy": "Maybe"}}, "must be one of 'Always', 'IfNotPresent', 'Never'"),
    "size": ({"jobs": {"size": "20 GB"}}, "- jobs.size: 20 GB is no quantity of Kubernetes: did you mean 20G or 20Gi?"),
    "unit": ({"jobs": {"size": "20kb"}}, "did you mean 20k or 20Ki?"),
    "binary unit": ({"redis": {"persistence": {"size": "1.5gib"}}}, "- redis.persistence.size: 1.5gib is no quantity"),
    "limit": (
        quantity("8GB"),
        "- operator.resources.limits.memory: 8GB is no quantity of Kubernetes: did you mean 8G or 8Gi?",
    ),
    "thousandths": (quantity("500 m"), "did you mean 500m?"),
    "bytes": (quantity("500B"), "did you mean 500?"),
    "of a pool": (
        {"workers": {"a": {"storage": {"tmpSize": "8Gb"}, "resources": {"requests": {"memory": "8GiB"}}}}},
        (
            "- workers.a.resources.requests.memory: 8GiB is no quantity of Kubernetes: did you mean 8Gi?\n"
            "- workers.a.storage.tmpSize: 8Gb is no quantity of Kubernetes: did you mean 8G or 8Gi?"
        ),
    ),
    "no size": ({"jobs": {"size": "much"}}, "'/jobs/size'"),
    "no quantity": (quantity(True), "'/operator/resources/limits/memory': got boolean"),
    "request of a pool": (
        {"workers": {"a": {"resources": {"requests": {"cpu": "2 cores"}}}}},
        "'/workers/a/resources/requests/cpu'",
    ),
    "digest": ({"redis": {"image": {"digest": "abc"}}}, "'/redis/image/digest'"),
    "photos": ({"photos": [{"name": "a", "existingClaim": "b"}]}, "missing property 'mountPath'"),
    "mount": ({"photos": [{"name": "a", "mountPath": "/data", "existingClaim": "b"}]}, "'/photos/0/mountPath'"),
    "minimum": ({"workers": {"cpu": {"concurrency": 0}}}, "'/workers/cpu/concurrency': minimum"),
    "pull secret": ({"imagePullSecrets": [{}]}, "'/imagePullSecrets/0': missing property 'name'"),
    "label": ({"commonLabels": {"team": 1}}, "'/commonLabels/team': got number"),
    "runbooks' base": (
        {"metrics": {"prometheusRule": {"enabled": True, "runbookBaseUrl": 'https://a"'}}},
        "'/metrics/prometheusRule/runbookBaseUrl'",
    ),
    **{
        f"exempt user {user}": ({"deletionProtection": {"enabled": True, "exemptUsers": [user]}}, "exemptUsers")
        for user in ("a'b", 'a"b', "a\\b", "")  # each would end the expression
    },
    "gallery's setting": (gallery(settings={"LOG_LEVEL": "INFO"}), "LOG_LEVEL"),
    "gallery's address without a scheme": (gallery(url="gallery.example.com"), "url"),
    "gallery's volume": (gallery(uploads={"photosVolume": "other"}), "no volume of that name"),
    "gallery's volume without a claim": (
        gallery(uploads={"photosVolume": "nas"})
        | {"photos": [{"name": "nas", "mountPath": "/photos", "volume": {"emptyDir": {}}}]},
        "needs an existingClaim",
    ),
    "gallery's route without a gateway": (gallery(httpRoute={"enabled": True}), "parentRefs"),
    "gallery's Ingress of every host": (gallery(ingress={"enabled": True}), "needs gallery.ingress.hostnames"),
    "no evictions": ({"workers": {"cpu": {"podDisruptionBudget": {"maxUnavailable": 0}}}}, "maxUnavailable"),
    "proxy without users": (gallery(proxy={"existingSecret": "proxy"}), "needs gallery.proxy.users"),
    "proxy of a reserved group": (gallery(proxy={"groups": ["system:masters"]}), "groups/0"),
    "setting with a value": ({"settings": {"STORAGE_SCHEMES": "s3"}}, "set objectStorage.schemes"),
    "no Redis": ({"redis": {"enabled": False}}, "redis.external.existingSecret must name the Secret"),
    "grace period": (
        {"workers": {"cpu": {"drainSeconds": 600, "terminationGracePeriodSeconds": 600}}},
        "workers.cpu.terminationGracePeriodSeconds is 600: a pod that drains for 600 s needs at least 610",
    ),
    "default account for the operator": (
        {"operator": {"serviceAccount": {"create": False}}},
        "operator.serviceAccount.create is false: name the account in operator.serviceAccount.name",
    ),
    "account of two pools": (
        {"workerDefaults": {"serviceAccount": {"create": True, "name": "ours"}}, "workers": {"large": {}}},
        "workers.cpu and workers.large both create the service account ours",
    ),
    "GPUs for models for CPUs": (
        {"workers": {"gpu": {"enabled": True, "image": {"registry": "mirror.example.com"}}}},
        "workers.gpu.gpu.count is 1, but the image reconstruction-worker has only models for CPUs, and the GPU would",
    ),
    "no Prometheus": (
        {"workers": {"cpu": {"autoscaling": {"enabled": True}}}},
        "workers.cpu.autoscaling needs keda.prometheusAddress",
    ),
    "notifications to a host that is not listed": (
        {"notifications": {"namespaces": {"maps": "http://events.maps.svc:8080/"}, "hosts": ["events.example.com"]}},
        "notifications.hosts lacks events.maps.svc",
    ),
    "monitor of no port": (
        {"metrics": {"podMonitor": {"enabled": True}, "workerPort": 0}},
        "metrics.podMonitor needs metrics.workerPort",
    ),
}


@pytest.mark.parametrize(("values", "message"), REFUSED.values(), ids=REFUSED)
def test_invalid_values_are_rejected_by_name(refuse: Refuse, values: dict[str, Any], message: str) -> None:
    assert message in refuse(values)


@pytest.mark.parametrize("values", ["", *sorted(path.name for path in (CHART / "ci").iterdir())])
def test_helm_lint_reports_nothing(ask: Ask, values: str) -> None:
    options = ["--values", str(CHART / "ci" / values)] if values else []

    done = ask("lint", "--strict", *options)

    assert done.status == 0
    assert "0 chart(s) failed" in done.stdout
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize(
    ("version", "refusal"), [("1.30.9", "requires kubeVersion: >=1.31.0-0"), ("1.31.0", ""), ("1.36.0", "")]
)
def test_only_an_older_kubernetes_is_rejected(ask: Ask, version: str, refusal: str) -> None:
    done = ask("template", "reconstruction", "--kube-version", version)

    assert (done.status == 0) is (refusal == "")
    assert refusal in done.stderr
