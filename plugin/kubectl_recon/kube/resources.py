"""Resource paths at the API server."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

GROUP: Final = "reconstruction.dev"
VERSION: Final = "v1alpha1"
KIND: Final = "ReconstructionJob"
PLURAL: Final = "reconstructionjobs"
API_VERSION: Final = f"{GROUP}/{VERSION}"
FIELD_MANAGER: Final = "kubectl-recon"
"""Name under which the API server records changes of this program."""

CRD: Final = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{PLURAL}.{GROUP}"
GROUP_PATH: Final = f"/apis/{GROUP}/{VERSION}"


def jobs(namespace: str | None) -> str:
    """Return the path of a namespace's jobs; of all jobs for None."""
    return f"/apis/{GROUP}/{VERSION}{_within(namespace)}/{PLURAL}"


def job(namespace: str, name: str) -> str:
    """Return the path of one job."""
    return f"{jobs(namespace)}/{quote(name, safe='')}"


def core(namespace: str | None, plural: str, name: str = "") -> str:
    """Return the path of objects of the core API, such as pods or events, or of the one with that name."""
    return f"/api/v1{_within(namespace)}/{plural}" + (f"/{quote(name, safe='')}" if name else "")


def named(group_version: str, namespace: str | None, plural: str, name: str = "") -> str:
    """Return the path of objects of another API group, or of the one with that name."""
    return f"/apis/{group_version}{_within(namespace)}/{plural}" + (f"/{quote(name, safe='')}" if name else "")


def _within(namespace: str | None) -> str:
    return "" if namespace is None else f"/namespaces/{quote(namespace, safe='')}"
