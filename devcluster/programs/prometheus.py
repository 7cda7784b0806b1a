"""Where prometheus and promtool come from: the machine's own, else Debian's package."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from devcluster.programs import debian_packages

_INSTEAD = (
    "On Debian or Ubuntu: sudo apt-get update && sudo apt-get install prometheus. "
    "Elsewhere put prometheus and promtool on PATH (https://prometheus.io/download)."
)


@dataclass(frozen=True)
class PrometheusPrograms:
    """Paths of both programs."""

    prometheus: Path
    promtool: Path


def prometheus_programs() -> PrometheusPrograms:
    """Return both programs; downloads them where the machine has none (20 MB, once).

    Raises:
        MissingToolError: the machine has neither them nor apt-get.
        BuildError: apt-get could not download them.

    """
    server, tool = shutil.which("prometheus"), shutil.which("promtool")
    if server and tool:
        return PrometheusPrograms(Path(server), Path(tool))
    programs = debian_packages.unpacked("prometheus", _INSTEAD) / "usr" / "bin"
    return PrometheusPrograms(programs / "prometheus", programs / "promtool")
