"""Conformance: kubeconform checks manifests against other releases of Kubernetes and other projects' CRDs.

No schema is downloaded: `schemas` makes them from the OpenAPI document in each release of the Go module k8s.io/kubernetes. Hashes pin
all releases.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devcluster import commands
from devcluster.errors import DevclusterError
from devcluster.programs import schemas
from devcluster.programs.building import KUBECONFORM, built
from devcluster.programs.go_modules import GoModule

_KIND = re.compile(r"""["']?kind["']?:\s*["']?(\w+)""")  # in YAML and in JSON; also matches references to objects


def _openapi(version: str, checksum: str) -> GoModule:
    return GoModule("k8s.io/kubernetes", version, checksum, ("api/openapi-spec/swagger.json",))


# The oldest minor release that the chart supports, and the newest release; 20 MB each.
KUBERNETES_OLDEST = _openapi("v1.31.14", "h1:UtjLfqvXLuSVDdJ4+NpQCIfFkKkLnAAVmxAEMsnkhjk=")
KUBERNETES_NEWEST = _openapi("v1.37.2", "h1:A2VDEiObzkYqFTKhSsn0ZEb0RlLEXpHWj93gi2HqEwE=")

_MONITORING = "example/prometheus-operator-crd/monitoring.coreos.com"
MONITORING_CRDS = GoModule(
    "github.com/prometheus-operator/prometheus-operator",
    "v0.85.0",
    "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
    tuple(f"{_MONITORING}_{kinds}.yaml" for kinds in ("servicemonitors", "podmonitors", "prometheusrules")),
)
KEDA_CRDS = GoModule(
    "github.com/kedacore/keda/v2",
    "v2.21.0",
    "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
    ("config/crd/bases/keda.sh_scaledobjects.yaml",),
)


def kubeconform(manifests: str, release: GoModule, *, more: Mapping[str, Any] | None = None) -> list[str]:
    """Return kubeconform's messages about manifests for a release of Kubernetes, or an empty list if they conform.

    `more`: schemas of other kinds, by the names of their files.
    """
    (openapi,) = release.files()
    with tempfile.TemporaryDirectory(prefix="kubeconform-") as temporary:
        folder = Path(temporary)
        schemas.write(openapi, folder, set(_KIND.findall(manifests)))
        for name, schema in (more or {}).items():
            (folder / name).write_text(json.dumps(schema))
        options = ["-strict", "-verbose", "-output=json", f"-schema-location={folder}/{schemas.LOCATION}"]
        done = commands.run([built(KUBECONFORM) / "kubeconform", *options, "-"], stdin=manifests, check=False)
    try:
        found = json.loads(done.stdout)["resources"]
    except (json.JSONDecodeError, KeyError) as error:
        raise DevclusterError(f"kubeconform ended with {done.returncode}: {done.stdout}{done.stderr}") from error
    if not found:
        raise DevclusterError("kubeconform found no objects")
    return [f"{one['kind']} {one['name']}: {one['msg']}" for one in found if one["status"] != "statusValid"]
