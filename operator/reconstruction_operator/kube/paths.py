"""Paths of objects in the API server."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from reconstruction_operator.api.identity import GROUP, PLURAL, VERSION, JobRef

GROUP_PATH: Final = f"/apis/{GROUP}/{VERSION}"


def jobs(namespace: str | None) -> str:
    """Return the path of all jobs of a namespace; of all jobs for None."""
    return GROUP_PATH + _objects(namespace, PLURAL)


def job(namespace: str, name: str) -> str:
    """Return the path of one job."""
    return GROUP_PATH + _objects(namespace, PLURAL, name)


def of(key: JobRef) -> str:
    """Return the path of the job with that key."""
    return job(key.namespace, key.name)


def core(namespace: str | None, plural: str, name: str = "") -> str:
    """Return the path of objects of the core API, such as pods or events, or of the one with that name."""
    return "/api/v1" + _objects(namespace, plural, name)


def namespace(name: str) -> str:
    """Return the path of a namespace's own object. RBAC counts it as inside that namespace."""
    return "/api/v1" + _objects(None, "namespaces", name)


def _objects(namespace: str | None, plural: str, name: str = "") -> str:
    inside = "" if namespace is None else f"/namespaces/{quote(namespace, safe='')}"
    return f"{inside}/{plural}" + (f"/{quote(name, safe='')}" if name else "")
