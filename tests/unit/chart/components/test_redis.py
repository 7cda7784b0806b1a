"""Redis: the bundled one and an external one."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.support.chart import (
    PART_OF,
    REDIS_PASSWORD,
    RESTRICTED,
    Objects,
    Refuse,
    Render,
    container_of,
    labels,
    pod_of,
    pods,
    unprivileged,
)

SELECTOR = labels("redis")
START = """\
password=$(printf %s "$REDISCLI_AUTH" | od -An -v -tx1 | tr -d ' \\n' | sed 's/../\\\\x&/g')
: "${password:?there is none}"
exec redis-server "$@" - <<EOF
requirepass "$password"
EOF
"""
ARGUMENTS = ["--dir", "/data", "--appendonly", "yes", "--maxmemory", "256mb", "--maxmemory-policy", "noeviction"]
EXTERNAL: dict[str, Any] = {"enabled": False, "external": {"existingSecret": "our-redis"}}


def stateful_set(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = objects["StatefulSet", "reconstruction-redis"]["spec"]
    return spec


def env_of_all(objects: Objects) -> list[dict[str, Any]]:
    """Return the variables of the operator and of the worker."""
    return [
        {
            one["name"]: one.get("value") or one["valueFrom"].get("secretKeyRef")
            for one in container_of(objects, name)["env"]
        }
        for name in ("operator", "worker-cpu")
    ]


def test_the_stateful_set_as_a_whole(render: Render) -> None:
    ping = {"command": ["sh", "-c", "redis-cli ping | grep -q PONG"]}

    assert stateful_set(render()) == {
        "serviceName": "reconstruction-redis",
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "selector": {"matchLabels": SELECTOR},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "template": {
            "metadata": {"labels": SELECTOR | PART_OF},
            "spec": {
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": unprivileged(999, fsGroup=999, fsGroupChangePolicy="OnRootMismatch"),
                "containers": [
                    {
                        "name": "redis",
                        "image": "docker.io/library/redis:7.4",
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["sh", "-c", START, "redis-server"],
                        "args": ARGUMENTS,
                        "env": [{"name": "REDISCLI_AUTH", "valueFrom": REDIS_PASSWORD}],
                        "ports": [{"name": "redis", "containerPort": 6379}],
                        "startupProbe": {
                            "exec": ping,
                            "periodSeconds": 2,
                            "timeoutSeconds": 5,
                            "failureThreshold": 150,
                        },
                        "readinessProbe": {"exec": ping, "periodSeconds": 10, "timeoutSeconds": 5},
                        "livenessProbe": {"tcpSocket": {"port": "redis"}, "periodSeconds": 10, "timeoutSeconds": 5},
                        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
                        "securityContext": RESTRICTED,
                        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                    }
                ],
            },
        },
        "volumeClaimTemplates": [
            {
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            }
        ],
    }


def test_generated_password_needs_no_encoding_in_an_address(render: Render) -> None:
    password = base64.b64decode(render()["Secret", "reconstruction-redis"]["data"]["password"]).decode()

    assert len(password) == 32
    assert password.isalnum()


@pytest.mark.parametrize("values", [{}, {"redis": EXTERNAL}], ids=["its-own", "external"])
def test_no_secret_is_an_argument_of_any_process(render: Render, values: dict[str, Any]) -> None:
    objects = render(values)
    secrets = {
        base64.b64decode(value).decode()
        for (kind, _), one in objects.items()
        if kind == "Secret"
        for value in one["data"].values()
    }

    for name, pod in pods(objects):
        if name == "reconstruction-test":  # it gets no secret
            continue
        for container in pod["containers"]:
            given = " ".join([*container.get("command", []), *container.get("args", [])])
            names = {each["name"] for each in container["env"] if "secretKeyRef" in each.get("valueFrom", {})}
            assert names, f"{name} gets no secret: this test searches in the wrong place"
            assert not any(secret in given for secret in secrets), name
            assert not any(f"$({each})" in given for each in names), name  # the kubelet would substitute it


def test_two_releases_have_different_passwords(render: Render) -> None:
    secrets = [one for name in ("one", "two") for (kind, _), one in render(release=name).items() if kind == "Secret"]

    assert len({secret["data"]["password"] for secret in secrets}) == len(secrets) == 2


def test_existing_password_secret_is_used_and_none_is_created(render: Render) -> None:
    objects = render({"redis": {"auth": {"existingSecret": "ours", "key": "redis"}}})

    assert "Secret" not in {kind for kind, _ in objects}
    assert all(env["REDIS_PASSWORD"] == {"name": "ours", "key": "redis"} for env in env_of_all(objects))
    (container,) = stateful_set(objects)["template"]["spec"]["containers"]
    assert container["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "ours", "key": "redis"}


def test_redis_without_persistence_uses_an_empty_dir(render: Render) -> None:
    spec = stateful_set(render({"redis": {"persistence": {"enabled": False}}}))

    assert spec["template"]["spec"]["volumes"] == [{"name": "data", "emptyDir": {}}]
    assert spec.keys().isdisjoint({"volumeClaimTemplates", "persistentVolumeClaimRetentionPolicy"})


def test_redis_volume_can_be_deleted_with_the_release_and_have_no_class(render: Render) -> None:
    spec = stateful_set(render({"redis": {"persistence": {"keep": False, "storageClassName": "-"}}}))

    assert spec["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete"
    assert spec["volumeClaimTemplates"][0]["spec"]["storageClassName"] == ""


def test_external_redis_is_reached_by_the_addresses_in_a_secret(render: Render) -> None:
    objects = render({"redis": EXTERNAL})

    assert not any("redis" in name for _, name in objects)
    for env in env_of_all(objects):
        assert {name: value for name, value in env.items() if "REDIS" in name or "CELERY" in name} == {
            name: {"name": "our-redis", "key": name}
            for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "REDIS_STATE_DB")
        }


def test_the_keys_in_the_secret_can_be_renamed(render: Render) -> None:
    keys = {"broker": "url-0", "results": "url-0", "state": "url-1", "sentinelPassword": "sentinel"}

    objects = render({"redis": EXTERNAL | {"external": {"existingSecret": "our-redis", "keys": keys}}})

    for env in env_of_all(objects):
        assert env["CELERY_BROKER_URL"]["key"] == env["CELERY_RESULT_BACKEND"]["key"] == "url-0"
        assert env["REDIS_STATE_DB"]["key"] == "url-1"
        assert env["REDIS_SENTINEL_PASSWORD"] == {"name": "our-redis", "key": "sentinel"}


@pytest.mark.parametrize("name", ["operator", "worker-cpu"])
def test_certificate_of_a_private_authority_is_mounted_at_the_documented_path(render: Render, name: str) -> None:
    external = {"existingSecret": "our-redis", "ca": {"existingSecret": "our-ca", "key": "root.pem"}}

    pod = pod_of(render({"redis": {"enabled": False, "external": external}}), name)

    assert {
        "name": "redis-ca",
        "secret": {"secretName": "our-ca", "items": [{"key": "root.pem", "path": "ca.crt"}]},
    } in pod["volumes"]
    mount = {"name": "redis-ca", "mountPath": "/etc/redis-ca", "readOnly": True}
    assert mount in pod["containers"][0]["volumeMounts"]


def test_a_missing_redis_is_rejected(refuse: Refuse) -> None:
    assert "redis.external.existingSecret must name the Secret" in refuse({"redis": {"enabled": False}})
