"""CRD: manifests/crd and the chart's copy of it, from the types in the package `api`."""

from __future__ import annotations

from typing import Final

from reconstruction_operator.api.crd import render

from scripts.paths import CHART

MANIFEST: Final = "manifests/crd/reconstructionjobs.yaml"


def files() -> dict[str, str]:
    """Path in the checkout -> content."""
    content = render()
    return {MANIFEST: content, f"{CHART}/files/crd/reconstructionjobs.yaml": content}
