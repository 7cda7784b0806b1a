"""CRD: manifests/crd, from the types in the package `api`, and the chart's copies of it and of the admission policies beside it."""

from __future__ import annotations

from typing import Final

from reconstruction_operator.api import crd

from scripts.paths import CHART, read

_FOLDER: Final = "manifests/crd"
_CRD: Final = "reconstructionjobs.yaml"
_POLICIES: Final = ("creation-policy.yaml", "parameters-policy.yaml")  # written by hand


def files() -> dict[str, str]:
    """Return the files: path in the checkout -> content."""
    contents = {_CRD: crd.render()} | {name: read(f"{_FOLDER}/{name}") for name in _POLICIES}
    copies = {f"{CHART}/files/crd/{name}": text for name, text in contents.items()}
    return {f"{_FOLDER}/{_CRD}": contents[_CRD]} | copies
