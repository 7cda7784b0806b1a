"""What is read of other projects' releases: files of their Go modules, each release pinned by its hash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from devcluster.programs.go_modules import GoModule


@dataclass(frozen=True)
class Files:
    """Files of one module."""

    module: GoModule
    names: tuple[str, ...]

    def paths(self) -> list[Path]:
        """Where they lie; downloads the module where Go has not done so before."""
        folder = self.module.folder()
        return [folder / name for name in self.names]


def _openapi(version: str, checksum: str) -> Files:
    return Files(GoModule("k8s.io/kubernetes", version, checksum), ("api/openapi-spec/swagger.json",))


# The oldest minor release that the chart takes, and the newest that there is; 20 MB each.
KUBERNETES_OLDEST = _openapi("v1.31.14", "h1:UtjLfqvXLuSVDdJ4+NpQCIfFkKkLnAAVmxAEMsnkhjk=")
KUBERNETES_NEWEST = _openapi("v1.37.2", "h1:A2VDEiObzkYqFTKhSsn0ZEb0RlLEXpHWj93gi2HqEwE=")

_MONITORING = "example/prometheus-operator-crd/monitoring.coreos.com"
MONITORING_CRDS = Files(
    GoModule(
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
    ),
    tuple(f"{_MONITORING}_{kinds}.yaml" for kinds in ("servicemonitors", "podmonitors", "prometheusrules")),
)
KEDA_CRDS = Files(
    GoModule("github.com/kedacore/keda/v2", "v2.21.0", "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps="),
    ("config/crd/bases/keda.sh_scaledobjects.yaml",),
)
