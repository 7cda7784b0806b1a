"""Installation: the operator's id and Lease, the records in Redis that belong to it, and the wait for the CRD."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from reconstruction_operator.api.identity import GROUP, PLURAL
from reconstruction_operator.api.status import InstallationMark
from reconstruction_operator.contract.records import Record
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.errors import ApiError

_log = logging.getLogger(__name__)

_PATIENCE_SECONDS: Final = 30.0  # an installer applies the CRD and the Deployment at once
_PAUSE_SECONDS: Final = 1.0
_USUAL_LEASE: Final = ("reconstruction-system", "reconstruction-operator")


class NotInstalledError(Exception):
    """The cluster lacks something that the operator needs. The message names it and how to get it."""


@dataclass(frozen=True, slots=True)
class Installation:
    """One installation of the operator: its id in the records, its Lease, and the namespaces that it watches (empty:
    all).
    """

    id: str
    namespaces: Sequence[str] = ()
    lease: str = "/".join(_USUAL_LEASE)  # namespace/name

    @property
    def mark(self) -> InstallationMark:
        """The mark that the statuses of its jobs hold."""
        return InstallationMark(self.id, self.lease)

    def owns(self, record: Record) -> bool:
        """Whether the record is of a job that this installation manages."""
        job = record.attempt.job
        return job.install_id == self.id and (not self.namespaces or job.namespace in self.namespaces)


async def _read(api: Api, path: str, lacking: HTTPStatus, problem: str, patience_seconds: float) -> Mapping[str, Any]:
    """Read an object, again and again while the API server is unavailable.

    Raises NotInstalledError with this problem if the server responds with `lacking` for that long.
    """
    lacking_seconds, log = 0.0, _log.warning
    while True:
        try:
            return await api.get(path)
        except ApiError as error:
            if error.status == lacking:
                if lacking_seconds >= patience_seconds:
                    raise NotInstalledError(problem) from error
                lacking_seconds += _PAUSE_SECONDS
            log("Waiting for the API server: %s", error)
            log = _log.debug
            await asyncio.sleep(_PAUSE_SECONDS)


async def wait_for_resource(api: Api) -> None:
    """Wait until the API server serves ReconstructionJobs, without limit while it is unavailable.

    Raises NotInstalledError if it is available and does not serve them in time.
    """
    problem = f"the cluster has no {PLURAL}.{GROUP}: install the CRD first (kubectl apply -f manifests/crd)"
    await _read(api, paths.GROUP_PATH, HTTPStatus.NOT_FOUND, problem, _PATIENCE_SECONDS)


def default_install_id(cluster_uid: str, lease: tuple[str, str]) -> str:
    """Return the id of the installation with that Lease (namespace, name): the cluster's uid for the usual Lease.

    Each Lease needs its own id, since a fencing token counts the transitions of one Lease.
    """
    if lease == _USUAL_LEASE:
        return cluster_uid
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join((cluster_uid, *lease))))


async def install_id(api: Api, configured: str, lease: tuple[str, str]) -> str:
    """Return the id of this installation: as configured, or made from the uid of the namespace kube-system and our
    Lease.

    Raises NotInstalledError if the role does not allow reading that namespace.
    """
    if configured:
        return configured
    problem = (
        "the operator may not read the namespace kube-system, whose uid identifies this cluster: "
        "allow it (manifests/install), or set INSTALL_ID to a text of your own"
    )
    # An API server that has just started rejects all requests for a moment.
    path, patience_seconds = "/api/v1/namespaces/kube-system", _PATIENCE_SECONDS / 3
    namespace = await _read(api, path, HTTPStatus.FORBIDDEN, problem, patience_seconds)
    return default_install_id(str(namespace["metadata"]["uid"]), lease)
