"""Writes: changes of a job and new jobs, sent to the API server as the user. The gallery's account may not write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reconstruction_operator.api.identity import GROUP, KIND, VERSION, JobRef
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.client import MERGE_PATCH, Api

from reconstruction_gallery.kube.users import User

MANAGER: Final = "reconstruction-gallery"  # the manager of the fields that users write through the gallery
_MAX_MANAGER_CHARS: Final = 128  # the API server rejects more

_REQUEST: Final = "request-cancel"
ACTIONS: Final[Mapping[str, Mapping[str, bool | None]]] = {
    _REQUEST: {"cancelRequested": True},
    "withdraw-cancel": {"cancelRequested": False, "cancelReason": None},
    "confirm-cancel": {"cancelConfirmed": True},
    "suspend": {"suspend": True},
    "resume": {"suspend": False},
}
"""What each action writes into the spec."""
DELETE: Final = "delete"


def manager_of(user: User) -> str:
    """Return the field manager of the user's writes, which the operator's Events and `kubectl get
    --show-managed-fields` show.
    """
    name = "".join(letter if letter.isprintable() else "?" for letter in user.name)
    return f"{MANAGER}/{name}"[:_MAX_MANAGER_CHARS]


async def act(api: Api, user: User, key: JobRef, action: str, reason: str = "") -> None:
    """Apply the action to the job with the key's uid, never to a later job of the same name.

    `reason`: of a cancel. Raises ApiError.
    """
    spec: dict[str, Any] = {**ACTIONS[action], **({"cancelReason": reason} if reason and action == _REQUEST else {})}
    body = {"metadata": {"uid": key.uid}, "spec": spec}
    await api.request(
        "PATCH",
        paths.of(key),
        body=body,
        params={"fieldManager": manager_of(user)},
        content_type=MERGE_PATCH,
        as_user=user.request_headers,
    )


async def delete(api: Api, user: User, key: JobRef) -> None:
    """Delete the job with the key's uid, never a later job of the same name. Raises ApiError."""
    body = {"preconditions": {"uid": key.uid}}
    await api.request("DELETE", paths.of(key), body=body, as_user=user.request_headers)


async def create(
    api: Api, user: User, namespace: str, name: str, spec: Mapping[str, Any], *, dry_run: bool = False
) -> str:
    """Create a job and return its uid. With `dry_run` the API server only checks it. Raises ApiError."""
    body = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": dict(spec),
    }
    params = {"fieldManager": manager_of(user), "fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
    job = await api.request("POST", paths.jobs(namespace), body=body, params=params, as_user=user.request_headers)
    return str(job["metadata"]["uid"])
