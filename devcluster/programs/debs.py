"""Programs of the distribution that no wheel has: downloaded by apt-get and unpacked into the cache, installed nowhere.

apt-get checks what it downloads against the distribution's signed lists. No root is needed where those lists are there.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from devcluster.errors import MissingToolError
from devcluster.folders import cache_folder
from devcluster.programs.progress import Progress
from devcluster.servers.runs import locked

if TYPE_CHECKING:
    from collections.abc import Sequence

_APT_SECONDS = 600.0  # a second; a loaded machine with a slow mirror may need many times that


def unpacked_debs(package: str, *, instead: str) -> Path:
    """Return the folder into which the package, and what this machine lacks for it, was unpacked.

    `instead` tells the user what to do where there is no apt-get.
    """
    folder = cache_folder() / "debs" / f"{package}-{_distribution()}"
    if folder.exists():
        return folder
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise MissingToolError(f"there is no apt-get here to download {package} with. {instead}")
    folder.parent.mkdir(exist_ok=True)
    with locked(folder.with_name(f"{folder.name}.lock")):
        if not folder.exists():
            with Progress(f"Downloading {package} from the distribution"):
                _download(package, folder, instead)
    return folder


def _distribution() -> str:
    """Such as debian-12: libraries of another release would not fit."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return platform.system().lower()
    return f"{release.get('ID', 'linux')}-{release.get('VERSION_ID', 'rolling')}"


def _download(package: str, folder: Path, instead: str) -> None:
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as temporary:
        archives, new = Path(temporary) / "archives", Path(temporary) / "unpacked"
        (archives / "partial").mkdir(parents=True)
        install = ["--download-only", "--no-install-recommends", "--yes", "install", package]
        failure = _apt_get(archives, install)
        if failure:  # the lists of packages may be old, or not there, as in an image
            failure = _apt_get(archives, ["update"]) or _apt_get(archives, install)
        if failure:
            raise MissingToolError(f"apt-get could not download {package}. {instead}\n{failure}")
        new.mkdir()
        for archive in sorted(archives.glob("*.deb")):
            subprocess.run(["dpkg-deb", "--extract", archive, new], check=True, capture_output=True)
        shutil.move(new, folder)  # the same file system: a rename, so that nobody sees half of it


def _apt_get(archives: Path, arguments: Sequence[str]) -> str:
    """What it complained of; empty if it succeeded. Nothing is installed, so that its locks are of no use."""
    options = ["-q", "-o", "Debug::NoLocking=1", "-o", f"Dir::Cache::archives={archives}", "-o", "APT::Sandbox::User="]
    done = subprocess.run(
        ["apt-get", *options, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_APT_SECONDS,
    )
    return "" if done.returncode == 0 else done.stderr.strip() or f"apt-get ended with {done.returncode}"
