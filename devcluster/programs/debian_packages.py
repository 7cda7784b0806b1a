"""Debian's packages, unpacked into the cache for programs and libraries that the machine does not have.

apt-get downloads a package and checks it against the distribution's signatures; it is not installed, which might start
a service, and needs no root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from devcluster.errors import BuildError, MissingToolError
from devcluster.folders import cache_folder
from devcluster.programs.progress import Progress
from devcluster.servers.runs import locked

_APT_SECONDS = 600.0


def unpacked(package: str, instead: str) -> Path:
    """Return the folder with the package's files; downloads it once. `instead` tells what to do where that fails.

    Raises:
        MissingToolError: the machine has no apt-get.
        BuildError: apt-get could not download it.

    """
    folder = cache_folder() / package
    with locked(folder.with_name(f"{package}.lock")):
        if not folder.exists():
            _unpack(package, folder, instead)
    return folder


def _unpack(package: str, folder: Path, instead: str) -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise MissingToolError(f"there is no {package} on this machine. {instead}")
    with (
        Progress(f"Downloading Debian's package {package}"),
        tempfile.TemporaryDirectory(prefix=f"{package}-", dir=folder.parent) as temporary,
    ):
        done = _apt("download", package, folder=temporary)
        if done.returncode != 0 and os.getuid() == 0:  # a fresh container has no lists of packages
            _apt("update", folder=temporary)
            done = _apt("download", package, folder=temporary)
        if done.returncode != 0:
            raise BuildError(f"{package} could not be downloaded. {instead}\n{done.stderr.strip()}")
        (file,) = Path(temporary).glob("*.deb")
        new = Path(temporary) / "unpacked"
        subprocess.run(["dpkg-deb", "--extract", file, new], check=True)
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
