"""CRD: manifests/crd, from the types in the package `api`, and the chart's copies of it, of the admission policies and
of Redis's users.
"""

from __future__ import annotations

from typing import Final

from reconstruction_operator.api import crd

from scripts.paths import CHART, read

_FOLDER: Final = "manifests/crd"
_USERS: Final = "manifests/integrations/redis"
_CRD: Final = "reconstructionjobs.yaml"
_POLICIES: Final = ("creation-policy.yaml", "parameters-policy.yaml")  # written by hand


def files() -> dict[str, str]:
    """Return the files: path in the checkout -> content."""
    contents = {_CRD: crd.render()} | {name: read(f"{_FOLDER}/{name}") for name in _POLICIES}
    copies = {f"{CHART}/files/crd/{name}": text for name, text in contents.items()}
    copies |= {
        f"{CHART}/files/redis/{user}.acl": read(f"{_USERS}/{user}.acl") for user in ("operator", "worker", "client")
    }
    return {f"{_FOLDER}/{_CRD}": contents[_CRD]} | copies
