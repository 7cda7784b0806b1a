"""Redis: the bundled one and an external one."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.support.chart import (
    Refuse,
    Render,
    pods,
)

EXTERNAL: dict[str, Any] = {"enabled": False, "external": {"existingSecret": "our-redis"}}


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


def test_a_missing_redis_is_rejected(refuse: Refuse) -> None:
    assert "redis.external.existingSecret must name the Secret" in refuse({"redis": {"enabled": False}})
