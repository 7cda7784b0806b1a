"""Krew: an archive of the plugin with all packages for each platform, and the manifest, which names the archives."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Container
from pathlib import Path
from typing import Final

import yaml

from devcluster import commands
from scripts.checks import versions
from scripts.paths import CHECKOUT, read
from scripts.release import packages

PLATFORMS: Final = {  # platform -> the tags of its wheels
    ("linux", "amd64"): ("manylinux2014_x86_64", "manylinux_2_28_x86_64"),
    ("linux", "arm64"): ("manylinux2014_aarch64", "manylinux_2_24_aarch64", "manylinux_2_28_aarch64"),
    ("darwin", "amd64"): ("macosx_11_0_x86_64",),
    ("darwin", "arm64"): ("macosx_11_0_arm64",),
}
_PIP: Final = "-m pip download --no-deps --only-binary=:all: -r requirements/plugin.txt --implementation=cp"


def build(folder: Path, epoch: int, owner: str, platforms: Container[tuple[str, str]] = PLATFORMS) -> list[Path]:
    """Write archives and manifest to `folder`, which has the wheels of this project."""
    version = versions.program_version(CHECKOUT)
    manifest = yaml.safe_load(read("plugin/krew/recon.yaml").replace("OWNER", owner).replace("VERSION", f"v{version}"))
    own = [folder / f"{name}-{version}-py3-none-any.whl" for name in ("kubectl_recon", "reconstruction_operator")]
    for system, arch in filter(platforms.__contains__, PLATFORMS):
        archive = folder / f"kubectl-recon-{version}-{system}-{arch}.tar.gz"
        archive.write_bytes(packages.dated(_tar(own, PLATFORMS[system, arch]), epoch))
        entry = {"selector": {"matchLabels": {"os": system, "arch": arch}}, "bin": "kubectl-recon"}
        entry["uri"] = f"{manifest['spec']['homepage']}/releases/download/v{version}/{archive.name}"
        entry["sha256"] = hashlib.sha256(archive.read_bytes()).hexdigest()
        manifest["spec"]["platforms"].append(entry)
    (folder / "recon.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    return [folder / "recon.yaml", *sorted(folder.glob(f"kubectl-recon-{version}-*.tar.gz"))]


def _tar(own: list[Path], tags: tuple[str, ...]) -> bytes:
    """Return the unpacked wheels of the lock file below `lib`; `lib/pythonX.Y` has those that are compiled for one
    Python.
    """
    with tempfile.TemporaryDirectory(prefix="krew-") as temporary:
        root = Path(temporary, "root")
        for python in ("3.11", "3.12", "3.13"):
            wheels = Path(temporary, python)
            options = [f"--python-version={python}", f"--dest={wheels}", *(f"--platform={tag}" for tag in tags)]
            commands.run([sys.executable, *_PIP.split(), *options], folder=CHECKOUT, timeout_seconds=1800)
            for wheel in (*own, *wheels.iterdir()):
                shared = wheel.stem.endswith("-any") or "-abi3-" in wheel.name
                zipfile.ZipFile(wheel).extractall(root / "lib" if shared else root / f"lib/python{python}")
        for name in ("LICENSE", "plugin/krew/kubectl-recon"):
            shutil.copy(CHECKOUT / name, root)
        return Path(shutil.make_archive(f"{temporary}/plugin", "tar", root)).read_bytes()
