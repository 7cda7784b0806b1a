"""Releases of other projects, with files against which manifests are checked. A hash pins each release."""

from __future__ import annotations

from devcluster.programs.go_modules import GoModule


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
