"""Where prometheus and promtool come from: the machine's own, else Debian's package, unpacked into the cache.

apt-get downloads the package and checks it against the distribution's signatures; it is not installed, which would start
a service, and needs no root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import BuildError, MissingToolError
from devcluster.folders import cache_folder
from devcluster.progress import Progress
from devcluster.runs import locked

_PACKAGE = "prometheus"
_APT_SECONDS = 600.0
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
    folder = cache_folder() / _PACKAGE
    with locked(folder.with_name(f"{_PACKAGE}.lock")):
        if not folder.exists():
            _unpack(folder)
    programs = folder / "usr" / "bin"
    return PrometheusPrograms(programs / "prometheus", programs / "promtool")


def _unpack(folder: Path) -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise MissingToolError(f"there is no prometheus on PATH. {_INSTEAD}")
    with (
        Progress("Downloading Debian's package prometheus"),
        tempfile.TemporaryDirectory(prefix=f"{_PACKAGE}-", dir=folder.parent) as temporary,
    ):
        done = _apt("download", _PACKAGE, folder=temporary)
        if done.returncode != 0 and os.getuid() == 0:  # a fresh container has no lists of packages
            _apt("update", folder=temporary)
            done = _apt("download", _PACKAGE, folder=temporary)
        if done.returncode != 0:
            raise BuildError(f"prometheus could not be downloaded. {_INSTEAD}\n{done.stderr.strip()}")
        (package,) = Path(temporary).glob("*.deb")
        new = Path(temporary) / "unpacked"
        subprocess.run(["dpkg-deb", "--extract", package, new], check=True)
        shutil.move(new, folder)  # the same file system: a rename, so that nobody sees half of it


def _apt(*arguments: str, folder: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["apt-get", "--quiet", *arguments],
        cwd=folder,
        timeout=_APT_SECONDS,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
