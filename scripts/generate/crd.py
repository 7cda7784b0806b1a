"""CRD and its admission policies: manifests/crd and the chart's copies, from the types in the package `api`."""

from __future__ import annotations

from reconstruction_operator.api import crd, creation_policy, parameters_policy

from scripts.paths import CHART


def files() -> dict[str, str]:
    """Return the files: path in the checkout -> content."""
    contents = {
        "reconstructionjobs.yaml": crd.render(),
        "parameters-policy.yaml": parameters_policy.render(),
        "creation-policy.yaml": creation_policy.render(),
    }
    return {
        f"{folder}/{name}": text
        for folder in ("manifests/crd", f"{CHART}/files/crd")
        for name, text in contents.items()
    }
