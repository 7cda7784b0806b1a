"""Debian packages: programs that no wheel has, downloaded by apt-get and unpacked into the cache.

Nothing is installed, so this needs no root and starts no service. apt-get checks its downloads against the
distribution's signed lists.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from devcluster import commands
from devcluster.errors import DevclusterError
from devcluster.programs.cache import Spinner, cached

_APT_SECONDS = 600.0  # a second; a loaded machine with a slow mirror may need many times that


def unpacked(package: str, *, instead: str) -> Path:
    """Return the folder with the unpacked package and its missing dependencies.

    `instead` advises the user in the DevclusterError if apt-get is missing or cannot download the package.
    """

    def download(new: Path, _progress: Spinner) -> None:
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            raise DevclusterError(f"apt-get, to download {package}, is missing. {instead}")
        archives = new.parent / "archives"
        (archives / "partial").mkdir(parents=True)
        install = ["--download-only", "--no-install-recommends", "--yes", "install", package]
        failure = _apt_get(archives, install)
        if failure:  # the lists of packages may be old, or absent as in an image
            failure = _apt_get(archives, ["update"]) or _apt_get(archives, install)
        if failure:
            raise DevclusterError(f"apt-get could not download {package}. {instead}\n{failure}")
        for archive in sorted(archives.glob("*.deb")):
            commands.run(["dpkg-deb", "--extract", archive, new])

    title = f"Downloading {package} from the distribution"
    return cached(f"debs/{package}-{_distribution()}", title, download)


def _distribution() -> str:
    """Return a name such as debian-12: libraries of another release would not fit."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return platform.system().lower()
    return f"{release.get('ID', 'linux')}-{release.get('VERSION_ID', 'rolling')}"


def _apt_get(archives: Path, arguments: Sequence[str]) -> str:
    """Run apt-get without its locks, which only an installation needs. Return the error message; empty on success."""
    options = ["-q", "-o", "Debug::NoLocking=1", "-o", f"Dir::Cache::archives={archives}", "-o", "APT::Sandbox::User="]
    done = commands.run(["apt-get", *options, *arguments], check=False, timeout_seconds=_APT_SECONDS)
    return "" if done.returncode == 0 else done.stderr.strip() or f"apt-get ended with {done.returncode}"
