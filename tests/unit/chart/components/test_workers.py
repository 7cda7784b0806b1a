"""Pools of workers: the default objects, then one value in each test."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.telemetry import metrics

from tests.support.chart import (
    GPU,
    PART_OF,
    REDIS_ENV,
    RESTRICTED,
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

SELECTOR = labels("worker-cpu")
COMMAND = ["celery", "--app=reconstruction_operator.celery_app", "worker", "--concurrency=1", "--loglevel=INFO"]


def spec(objects: Objects, pool: str = "cpu") -> dict[str, Any]:
    return workload(objects, f"worker-{pool}")


def pod(objects: Objects, pool: str = "cpu") -> dict[str, Any]:
    return pod_of(objects, f"worker-{pool}")


def container(objects: Objects, pool: str = "cpu") -> dict[str, Any]:
    return container_of(objects, f"worker-{pool}")


def env(objects: Objects, pool: str = "cpu") -> dict[str, Any]:
    return env_of(objects, f"worker-{pool}")


def volume(objects: Objects, name: str, pool: str = "cpu") -> dict[str, Any]:
    (found,) = (one for one in pod(objects, pool)["volumes"] if one["name"] == name)
    return {key: value for key, value in found.items() if key != "name"}


def pools(objects: Objects) -> set[str]:
    return {
        name.removeprefix("reconstruction-worker-")
        for kind, name in objects
        if kind == "Deployment" and "worker" in name
    }


def test_the_deployment_as_a_whole(render: Render) -> None:
    found = spec(render())

    assert found["template"]["metadata"]["annotations"].keys() == {"checksum/settings"}
    del found["template"]["metadata"]["annotations"]
    assert found == {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": SELECTOR},
        "template": {
            "metadata": {"labels": SELECTOR | PART_OF | {"reconstruction.dev/pool": "cpu"}},
            "spec": {
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": 60,
                "securityContext": unprivileged(65532, fsGroup=65532, fsGroupChangePolicy="OnRootMismatch"),
                "containers": [
                    {
                        "name": "worker",
                        "image": "reconstruction-worker:0.1.0",
                        "imagePullPolicy": "IfNotPresent",
                        "command": COMMAND,
                        "envFrom": [{"configMapRef": {"name": "reconstruction-settings"}}],
                        "env": [
                            {"name": "WORKER_POOLS", "value": "celery"},
                            {"name": "JOBS_DIR", "value": "/jobs"},
                            {"name": "INPUT_ROOTS", "value": "/photos"},
                            {"name": "DRAIN_SECONDS", "value": "20"},
                            {"name": "WORKER_METRICS_PORT", "value": "8080"},
                            *REDIS_ENV,
                        ],
                        "ports": [{"name": "metrics", "containerPort": 8080}],
                        "readinessProbe": {"tcpSocket": {"port": "metrics"}, "periodSeconds": 5, "timeoutSeconds": 5},
                        "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "8Gi"}},
                        "securityContext": RESTRICTED,
                        "volumeMounts": [{"name": "jobs", "mountPath": "/jobs"}, {"name": "tmp", "mountPath": "/tmp"}],
                    }
                ],
                "volumes": [
                    {"name": "jobs", "persistentVolumeClaim": {"claimName": "reconstruction-jobs"}},
                    {"name": "tmp", "emptyDir": {}},
                ],
            },
        },
    }


def test_one_value_enables_the_gpu_pool(render: Render) -> None:
    objects = render({"workers": GPU})

    assert pools(objects) == {"cpu", "gpu"}
    assert env(objects, "gpu")["WORKER_POOLS"] == "gpu"
    assert pod(objects, "gpu")["runtimeClassName"] == "nvidia"
    assert container(objects, "gpu")["resources"] == {
        "requests": {"cpu": "1", "memory": "2Gi"},
        "limits": {"memory": "8Gi", "nvidia.com/gpu": 1},
    }


def test_additional_pool_inherits_the_defaults(render: Render) -> None:
    large = {"queues": ["large", "celery"], "resources": {"limits": {"memory": "64Gi"}}}
    defaults = {"concurrency": 3, "nodeSelector": {"disk": "ssd"}}

    objects = render({"workerDefaults": defaults, "workers": {"large": large}})

    assert pools(objects) == {"cpu", "large"}
    assert env(objects, "large")["WORKER_POOLS"] == "large,celery"
    assert "--concurrency=3" in container(objects, "large")["command"]
    assert pod(objects, "large")["nodeSelector"] == {"disk": "ssd"}
    resources = {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "64Gi"}}
    assert container(objects, "large")["resources"] == resources


def test_operator_and_all_workers_get_the_namespaces_of_a_pool(render: Render) -> None:
    objects = render({"workers": {"large": {"queues": ["large", "gpu"], "namespaces": ["maps", "scans"]}}})

    allowed = "large=maps,large=scans,gpu=maps,gpu=scans"
    for component in ("worker-large", "worker-cpu", "operator"):
        assert env_of(objects, component)["POOL_NAMESPACES"] == allowed


def test_without_namespaces_a_pool_accepts_all_jobs(render: Render) -> None:
    assert "POOL_NAMESPACES" not in env(render({}), "cpu")


@pytest.mark.parametrize(
    ("values", "left"),
    [
        pytest.param({"cpu": {"enabled": False}}, set(), id="switched off"),
        pytest.param({"cpu": None}, set(), id="taken away"),
        pytest.param({"cpu": {"replicas": 0}}, {"cpu"}, id="no replicas"),
    ],
)
def test_pool_can_be_removed(render: Render, values: dict[str, Any], left: set[str]) -> None:
    assert pools(render({"workers": values})) == left


@pytest.mark.parametrize(
    ("key", "default", "own"),
    [
        pytest.param("replicas", 4, 0, id="zero"),
        pytest.param("terminationGracePeriodSeconds", 500, 0, id="zero seconds"),
        pytest.param("runtimeClassName", "nvidia", "", id="empty text"),
        pytest.param("tolerations", [{"operator": "Exists"}], [], id="empty list"),
    ],
)
def test_pool_can_override_a_default_with_an_empty_value(
    render: Render, key: str, default: object, own: object
) -> None:
    plain = render()

    overridden = render({"workerDefaults": {key: default}, "workers": {"cpu": {key: own}}})

    expected = plain if key != "replicas" else render({"workers": {"cpu": {"replicas": 0}}})
    assert spec(overridden) == spec(expected)


def test_null_removes_a_default(render: Render) -> None:
    objects = render({"workers": {"cpu": {"resources": {"requests": None}}}})

    assert container(objects)["resources"] == {"limits": {"memory": "8Gi"}}


def test_a_pool_can_have_its_own_registry(render: Render) -> None:
    image = {"registry": "registry.example.com", "repository": "reconviagen", "tag": "7"}

    objects = render({"image": {"registry": "ours.example.com"}, "workers": {"gpu": {"enabled": True, "image": image}}})

    assert container(objects, "gpu")["image"] == "registry.example.com/reconviagen:7"
    assert container(objects)["image"] == "ours.example.com/reconstruction-worker:0.1.0"


def test_a_pools_settings_override_the_common_ones(render: Render) -> None:
    objects = render({"workers": {"cpu": {"settings": {"WORKER_THREADS": 4, "LOG_LEVEL": "DEBUG"}}}})

    assert {"WORKER_THREADS": "4", "LOG_LEVEL": "DEBUG"}.items() <= env(objects).items()


def test_extra_celery_options_are_appended(render: Render) -> None:
    assert container(render({"workers": {"cpu": {"extraArgs": ["--pool=threads"]}}}))["command"][-1] == "--pool=threads"


def test_worker_without_metrics_has_no_port_and_no_probe(render: Render) -> None:
    found = container(render({"metrics": {"workerPort": 0}}))

    assert found.keys().isdisjoint({"ports", "readinessProbe"})
    assert "WORKER_METRICS_PORT" not in {one["name"] for one in found["env"]}


# --- stopping


def test_a_pod_is_killed_only_after_it_has_drained(render: Render) -> None:
    objects = render({"workers": {"cpu": {"drainSeconds": 600}}})

    assert env(objects)["DRAIN_SECONDS"] == "600"
    assert pod(objects)["terminationGracePeriodSeconds"] == 640


def test_a_grace_period_shorter_than_the_drain_is_rejected(refuse: Refuse) -> None:
    message = refuse({"workers": {"cpu": {"drainSeconds": 600, "terminationGracePeriodSeconds": 600}}})

    assert "workers.cpu.terminationGracePeriodSeconds is 600: a pod that drains for 600 s needs at least 610" in message


ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
OURS = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}


@pytest.mark.parametrize(
    ("values", "strategy"),
    [
        pytest.param({"jobs": {"accessModes": ["ReadWriteOnce"]}}, {"type": "Recreate"}, id="volume of one node"),
        pytest.param({"jobs": {"accessModes": ["ReadWriteMany"]}}, ROLLING, id="volume of several nodes"),
        pytest.param({"workers": {"cpu": {"strategy": OURS}}}, OURS, id="configured"),
    ],
)
def test_the_update_strategy_follows_the_access_modes_or_is_configured(
    render: Render, values: dict[str, Any], strategy: dict[str, object]
) -> None:
    assert spec(render(values))["strategy"] == strategy


# --- volumes


def test_the_claim_of_the_job_folders_is_kept_after_an_uninstall(render: Render) -> None:
    claim = render()["PersistentVolumeClaim", "reconstruction-jobs"]

    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}}


@pytest.mark.parametrize(("value", "found"), [("fast", "fast"), ("-", ""), ("", None)])  # "": the cluster's default
def test_the_claim_requests_a_storage_class(render: Render, value: str, found: str | None) -> None:
    claim = render({"jobs": {"storageClassName": value}})["PersistentVolumeClaim", "reconstruction-jobs"]

    assert claim["spec"].get("storageClassName") == found


def test_existing_claim_is_used_and_none_is_created(render: Render) -> None:
    objects = render({"jobs": {"existingClaim": "nas"}})

    assert volume(objects, "jobs") == {"persistentVolumeClaim": {"claimName": "nas"}}
    assert "PersistentVolumeClaim" not in {kind for kind, _ in objects}


def test_a_pool_can_have_its_own_claim(render: Render) -> None:
    objects = render({"workers": {"gpu": GPU["gpu"] | {"storage": {"existingClaim": "nvme"}}}})

    assert volume(objects, "jobs") == {"persistentVolumeClaim": {"claimName": "reconstruction-jobs"}}
    assert volume(objects, "jobs", "gpu") == {"persistentVolumeClaim": {"claimName": "nvme"}}


def test_tmp_and_shared_memory_have_the_configured_sizes(render: Render) -> None:
    objects = render({"workers": {"cpu": {"storage": {"tmpSize": "10Gi", "shmSize": "1Gi"}}}})

    assert volume(objects, "tmp") == {"emptyDir": {"sizeLimit": "10Gi"}}
    assert volume(objects, "shm") == {"emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}
    assert {"name": "shm", "mountPath": "/dev/shm"} in container(objects)["volumeMounts"]


def test_photos_are_mounted_read_only(render: Render) -> None:
    nfs = {"nfs": {"server": "nas", "path": "/photos", "readOnly": True}}
    archive = {"name": "archive", "mountPath": "/photos", "existingClaim": "photos", "subPath": "2026"}

    objects = render({"photos": [archive, {"name": "nas", "mountPath": "/photos/nas", "volume": nfs}]})

    assert container(objects)["volumeMounts"][1:3] == [
        {"name": "photos-archive", "mountPath": "/photos", "subPath": "2026", "readOnly": True},
        {"name": "photos-nas", "mountPath": "/photos/nas", "readOnly": True},
    ]
    assert volume(objects, "photos-archive") == {"persistentVolumeClaim": {"claimName": "photos", "readOnly": True}}
    assert volume(objects, "photos-nas") == nfs


# --- KEDA

KEDA = ("keda.sh/v1alpha1/ScaledObject",)
SCALED: dict[str, Any] = {
    "keda": {"prometheusAddress": "http://prometheus:9090"},
    "workers": {"cpu": {"concurrency": 2, "queues": ["celery", "large"], "autoscaling": {"enabled": True}}},
}


def scaled_object(render: Render, values: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = render(values, apis=KEDA)["ScaledObject", "reconstruction-worker-cpu"]["spec"]
    return found


def test_a_pool_is_scaled_by_waiting_and_running_jobs(render: Render) -> None:
    query = 'sum(max by (queue, phase) (reconstruction_queue_jobs{queue=~"(celery|large)(-high|-low)?"}))'
    metadata = {
        "serverAddress": "http://prometheus:9090",
        "query": query,
        "threshold": "2",
        "ignoreNullValues": "false",
    }

    assert scaled_object(render, SCALED) == {
        "scaleTargetRef": {"name": "reconstruction-worker-cpu"},
        "pollingInterval": 15,
        "cooldownPeriod": 300,
        "minReplicaCount": 0,
        "maxReplicaCount": 4,
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}}}},
        "triggers": [{"type": "prometheus", "metricType": "AverageValue", "metadata": metadata}],
    }


def test_a_scaled_pool_sets_no_replicas_and_drains_for_the_longest_job(render: Render) -> None:
    objects = render(SCALED, apis=KEDA)

    assert "replicas" not in spec(objects)
    assert env(objects)["DRAIN_SECONDS"] == "21600"
    assert pod(objects)["terminationGracePeriodSeconds"] == 21640


def test_the_metrics_of_several_operators_are_distinguished(render: Render) -> None:
    keda = SCALED["keda"] | {"selector": 'namespace="recon"', "authenticationRef": "prometheus"}

    (trigger,) = scaled_object(render, SCALED | {"keda": keda})["triggers"]

    assert '{namespace="recon",queue=~' in trigger["metadata"]["query"]
    assert trigger["authenticationRef"] == {"name": "prometheus"}


def test_the_scaling_metric_exists_in_the_operator(render: Render) -> None:
    (trigger,) = scaled_object(render, SCALED)["triggers"]

    (name,) = (metric.name for metric in metrics.QUEUE_JOBS.collect())
    assert f"({name}{{" in trigger["metadata"]["query"]
    assert metrics.QUEUE_JOBS._labelnames == ("queue", "phase")
