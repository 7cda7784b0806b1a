"""Published state: what the operator of each installation tells every user (`reconstruction_operator.contract.installation`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from reconstruction_operator.contract import installation as contract
from reconstruction_operator.contract.info import NAME, NAMESPACE
from reconstruction_operator.contract.installation import Installation
from reconstruction_operator.kube import paths

from kubectl_recon.errors import ApiError, ForbiddenError, NotFoundError, UnreachableError
from kubectl_recon.gallery.reaching import Way
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube.api import Api

_NONE: Final = f"{contract.NOT_PUBLISHED}, or its chart does not let you read it (ConfigMap {NAME} in {NAMESPACE})"


def read(api: Api, jobs: Sequence[Job] = ()) -> Installation:
    """Return the installation that manages these jobs, or else one that could. Raises UnreachableError."""
    try:
        body = api.get(paths.core(NAMESPACE, "configmaps", NAME))
    except UnreachableError:
        raise
    except ApiError as error:
        return Installation(missing=_NONE if isinstance(error, NotFoundError | ForbiddenError) else str(error))
    leases = [job.lease for job in sorted(jobs, key=lambda job: str(job.created)) if job.lease]
    every = sorted(contract.published(body, api.now()), key=lambda entry: (entry.info.narrowed, -_age(entry.written)))
    managing = (entry for entry in every if leases and entry.info.lease == leases[-1])
    return next(managing, next(iter(every), Installation(missing=_NONE)))


def gallery(api: Api, jobs: Sequence[Job], way: Way) -> Way:
    """Return the way to the gallery of the installation that manages these jobs. An address that the user gave comes first."""
    if way.url:
        return way
    installation = read(api, jobs)
    address = installation.info.gallery
    if address.startswith("service/"):
        return replace(way, service=address, namespace=installation.namespace)
    parts = urlsplit(address)
    # The user's token is sent there.
    return replace(way, url=address) if parts.scheme == "https" or parts.hostname == "127.0.0.1" else way


def _age(written: datetime | None) -> float:
    return written.timestamp() if written else 0.0
