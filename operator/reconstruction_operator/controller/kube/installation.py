"""What must be there before the operator can work: its resource, and an id that tells its records from others'."""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import Final

from reconstruction_operator.api.identity import GROUP, PLURAL
from reconstruction_operator.controller.kube import objects
from reconstruction_operator.controller.kube.client import Api, ApiError

_log = logging.getLogger(__name__)

_PATIENCE_SECONDS: Final = 30.0  # an installer applies the CRD and the Deployment at once
_PAUSE_SECONDS: Final = 1.0
_FORBIDDEN: Final = 403
_USUAL_LEASE: Final = ("reconstruction-system", "reconstruction-operator")
_NOT_FOUND: Final = 404


class NotInstalledError(Exception):
    """Something that the operator needs is missing in the cluster; the message says what, and how to get it."""


async def wait_for_resource(api: Api, *, patience_seconds: float = _PATIENCE_SECONDS) -> None:
    """Return when the API server serves ReconstructionJobs. While it does not answer at all, wait for ever.

    Raises:
        NotInstalledError: it answers, and does not serve them within the time.

    """
    missing_for = 0.0
    told = False
    while True:
        try:
            served = await api.get(objects.GROUP_PATH)
        except ApiError as error:
            if error.status != _NOT_FOUND:
                log = _log.debug if told else _log.warning
                log("Waiting for the API server: %s", error)
                told = True
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            served = {}
        if any(resource.get("name") == PLURAL for resource in served.get("resources", ())):
            return
        if missing_for >= patience_seconds:
            raise NotInstalledError(
                f"the cluster has no {PLURAL}.{GROUP}: install the CRD first (kubectl apply -f manifests/crd)"
            )
        missing_for += _PAUSE_SECONDS
        await asyncio.sleep(_PAUSE_SECONDS)


def default_install_id(cluster_uid: str, lease: tuple[str, str]) -> str:
    """The id of the installation with that Lease (namespace, name): fences count one Lease's transitions, not a cluster's.

    Where the Lease is at its usual place it is the cluster's own uid.
    """
    if lease == _USUAL_LEASE:
        return cluster_uid
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join((cluster_uid, *lease))))


async def install_id(
    api: Api, configured: str, lease: tuple[str, str], *, patience_seconds: float = _PATIENCE_SECONDS / 3
) -> str:
    """The id of this installation: as configured, or made from the uid of the namespace kube-system and our Lease.

    Raises:
        NotInstalledError: the role does not allow reading it.

    """
    if configured:
        return configured
    refused_for = 0.0
    while True:
        try:
            namespace = await api.get("/api/v1/namespaces/kube-system")
        except ApiError as error:
            # An API server that has just started refuses everything for a moment.
            if error.status == _FORBIDDEN and refused_for >= patience_seconds:
                raise NotInstalledError(
                    "the operator may not read the namespace kube-system, whose uid tells this cluster's jobs from "
                    "another's: allow it (manifests/install), or set INSTALL_ID to a text of your own"
                ) from error
            refused_for += _PAUSE_SECONDS if error.status == _FORBIDDEN else 0.0
            _log.warning("Waiting for the namespace kube-system: %s", error)
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return default_install_id(str(namespace["metadata"]["uid"]), lease)
