"""Rendered chart: its types, and parts that several objects share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

Objects = dict[tuple[str, str], dict[str, Any]]
"""Objects by kind and name."""


class Answer(NamedTuple):
    """Exit status and output of helm. The output of `helm template` is the objects as JSON."""

    status: int
    stdout: str
    stderr: str


Ask = Callable[..., Answer]
"""Function from a helm command, its `stdin` and the `chart` to the answer."""

Render = Callable[..., Objects]
Refuse = Callable[..., str]

RESTRICTED: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""The security context of every container."""

GPU: Final[dict[str, Any]] = {"gpu": {"enabled": True, "image": {"repository": "reconviagen"}}}
"""The pool with GPUs, with an image that has a model for them."""


def labels(component: str) -> dict[str, str]:
    """Return the labels that select the pods of a component."""
    return {
        "app.kubernetes.io/name": "reconstruction-operator",
        "app.kubernetes.io/instance": "reconstruction",
        "app.kubernetes.io/component": component,
    }


def workload(objects: Objects, name: str) -> dict[str, Any]:
    """Return the spec of the Deployment."""
    spec: dict[str, Any] = objects["Deployment", f"reconstruction-{name}"]["spec"]
    return spec


def pod_of(objects: Objects, name: str) -> dict[str, Any]:
    """Return the spec of the Deployment's pods."""
    spec: dict[str, Any] = workload(objects, name)["template"]["spec"]
    return spec


def container_of(objects: Objects, name: str) -> dict[str, Any]:
    """Return the only container of the Deployment's pods."""
    (only,) = pod_of(objects, name)["containers"]
    return dict(only)


def pod_templates(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and template of every pod that the objects would create."""
    for (kind, name), one in objects.items():
        if kind in ("Deployment", "StatefulSet"):
            yield name, one["spec"]["template"]
        elif kind == "Pod":
            yield name, one


def pods(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and spec of every pod that the objects would create."""
    return ((name, template["spec"]) for name, template in pod_templates(objects))


def env_of(objects: Objects, name: str) -> dict[str, Any]:
    """Return the variables of that container: values or their sources."""
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container_of(objects, name)["env"]}
