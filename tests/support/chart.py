"""Rendered chart: its types, and parts that several tests use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

Objects = dict[str, dict[str, Any]]
"""Objects by kind/name."""


class Answer(NamedTuple):
    """Exit status and output of helm. The output of `helm template` is the objects as JSON."""

    status: int
    stdout: str
    stderr: str


Ask = Callable[..., Answer]
"""Function from a helm command and its `stdin` to the answer."""

Render = Callable[..., Objects]
Refuse = Callable[..., str]

APIS: Final = (
    *(f"monitoring.coreos.com/v1/{kind}" for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule")),
    "keda.sh/v1alpha1/ScaledObject",
    "gateway.networking.k8s.io/v1/HTTPRoute",
)
"""The APIs of other projects that the chart can use."""

GPU: Final[dict[str, Any]] = {"gpu": {"enabled": True, "image": {"repository": "reconviagen"}}}
"""The pool with GPUs, with an image that has a model for them."""


def pods(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield kind/name and template of every pod that the objects would create."""
    for name, manifest in objects.items():
        if name.startswith(("Deployment/", "StatefulSet/")):
            yield name, manifest["spec"]["template"]
        elif name.startswith("Pod/"):
            yield name, manifest


def images(objects: Objects) -> set[str]:
    """Return the images of all containers."""
    return {container["image"] for _, pod in pods(objects) for container in pod["spec"]["containers"]}
