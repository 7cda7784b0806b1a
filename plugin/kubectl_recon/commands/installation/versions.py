"""`version`: the versions of this program, the CRD, the operator and Kubernetes, and whether they are compatible."""

from __future__ import annotations

import re
from typing import Any, Final

from reconstruction_operator.api import identity
from reconstruction_operator.kube import paths

from kubectl_recon import __version__
from kubectl_recon.display.formats import Format, document
from kubectl_recon.display.screen import note
from kubectl_recon.errors import ApiError
from kubectl_recon.installation import published
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube.api import Connection

_NUMBER: Final = re.compile(r"v?(\d+)\.(\d+)")


def run(connection: Connection, how: Format | None) -> int:
    """Print the versions. Exit code 1 if program and operator are incompatible."""
    versions = gather(connection)
    server = str(versions["operator"] or "")
    if how in (Format.JSON, Format.YAML):
        print(document(versions, how))  # noqa: T201  # the result
    else:
        print(f"kubectl-recon  {__version__}")  # noqa: T201  # the result
        for name in ("operator", "crd", "kubernetes"):
            print(f"{name:<14} {versions[name] or 'missing'}")  # noqa: T201  # the result
    if server and minor(server) != minor(__version__):
        note(f"This program and the operator differ by a minor version: install kubectl-recon {server}.")
        return 1
    return 0


def gather(connection: Connection) -> dict[str, Any]:
    """Read the versions that the user may see. Raises UnreachableError."""
    api = connection.api
    kubernetes = str(api.get("/version").get("gitVersion", ""))
    crd = jobs = None
    try:
        listed = api.get(paths.GROUP_PATH)
        crd = identity.API_VERSION if listed.get("resources") else None
        bodies = api.items(paths.jobs(connection.namespace))
        jobs = [Job(body) for body in bodies]
    except ApiError:
        pass  # a missing version is shown as such
    version = published.read(api, jobs or []).info.version
    return {"kubectl-recon": __version__, "operator": version, "crd": crd, "kubernetes": kubernetes}


def minor(version: str) -> tuple[int, int] | None:
    """Return major and minor number; None if the text is not a version."""
    match = _NUMBER.match(version)
    return (int(match[1]), int(match[2])) if match else None
