"""Published state: what the operator of each installation tells every user
(`reconstruction_operator.contract.installation`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from reconstruction_operator.contract import installation as contract
from reconstruction_operator.contract.info import NAMESPACE, SELECTOR
from reconstruction_operator.contract.installation import Installation
from reconstruction_operator.kube import paths

from kubectl_recon.errors import ApiError, ForbiddenError, NotFoundError, UnreachableError
from kubectl_recon.gallery.reaching import Way
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube.api import Api

_NONE: Final = f"{contract.NOT_PUBLISHED}, or its chart does not let you read it (ConfigMaps {SELECTOR} in {NAMESPACE})"

# The user confirms the text. A user name before the host, letters that look like others, and escapes of a terminal
# would show another place.
_ADDRESS: Final = re.compile(
    r"(https://([a-z0-9.-]+|\[[0-9a-f:]+\])|http://127\.0\.0\.1)(:\d{1,5})?(/[a-z0-9._~/-]*)?", re.IGNORECASE | re.ASCII
)
_SERVICE: Final = re.compile(r"service/[a-z0-9-]{1,63}")


def read(api: Api, jobs: Sequence[Job] = ()) -> Installation:
    """Return the installation that manages these jobs, or else one that could. Raises UnreachableError."""
    try:
        bodies = api.items(paths.core(NAMESPACE, "configmaps"), labelSelector=SELECTOR)
    except UnreachableError:
        raise
    except ApiError as error:
        return Installation(missing=_NONE if isinstance(error, NotFoundError | ForbiddenError) else str(error))
    leases = [job.lease for job in sorted(jobs, key=lambda job: str(job.created)) if job.lease]
    every = sorted(contract.published(bodies, api.now()), key=lambda entry: (entry.info.narrowed, -_age(entry.written)))
    managing = (entry for entry in every if leases and entry.info.lease == leases[-1])
    return next(managing, next(iter(every), Installation(missing=_NONE)))


def gallery(api: Api, jobs: Sequence[Job], way: Way) -> Way:
    """Return the way to the gallery of the installation that manages these jobs.

    An address that the user gave comes first.
    """
    if way.service:
        return way
    installation = read(api, jobs)
    named, address = replace(way, namespace=installation.namespace), installation.info.gallery
    if way.url:
        return way if installation.missing else named
    published = replace(named, lease=installation.info.lease)
    if _SERVICE.fullmatch(address):
        return replace(published, service=address)
    # The user's token is sent there.
    return replace(published, url=address) if is_safe(address) else way


def is_safe(address: str) -> bool:
    """Return whether nobody on the network can read what is sent to the address, and its text shows where that goes."""
    return bool(_ADDRESS.fullmatch(address))


def _age(written: datetime | None) -> float:
    return written.timestamp() if written else 0.0
