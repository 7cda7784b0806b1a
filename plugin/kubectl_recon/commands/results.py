"""`results`: downloads the result of a job, resumes what broke off, and checks every file."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Final

from kubectl_recon.commands import manifests
from kubectl_recon.commands.selecting import one
from kubectl_recon.display.progress import bar, size_text
from kubectl_recon.display.screen import note
from kubectl_recon.errors import ReconError, UsageError
from kubectl_recon.jobs.attention import phase_text
from kubectl_recon.kube.connection import Connection
from kubectl_recon.storage import downloading
from kubectl_recon.storage.downloading import ResultFile

_MESHES: Final = (".glb", ".obj", ".ply", ".stl", ".usdz")


def of_job(connection: Connection, name: str, folder: str | None, only: Sequence[str]) -> int:
    """Fetch the result of a job into `folder`, by default one of its name. Exit code 0 if all files are there."""
    job = one(connection, name)
    if not job.output_uri:
        wait = "" if job.finished else f": wait for it (kubectl recon wait {job.name})"
        raise UsageError(f"{job.name} has no result ({phase_text(job)}){wait}")
    if job.simulated:
        note(f"{job.name}: the result is a simulation, not made from the photos")
    return fetch(job.output_uri, job.name, Path(folder or job.name), only)


def of_address(uri: str, folder: str | None, only: Sequence[str]) -> int:
    """Fetch the result at an address, without a cluster."""
    name = manifests.name_for(uri)
    return fetch(uri, name, Path(folder or name), only)


def fetch(uri: str, name: str, folder: Path, only: Sequence[str]) -> int:
    """Fetch the files that `only` names (all without it) into the folder, and print where each is."""
    place, every = downloading.files(downloading.source(uri))
    files = [file for file in every if not only or any(fnmatch(file.name, pattern) for pattern in only)]
    if not files:
        names = ", ".join(file.name for file in every)
        raise UsageError(f"the result has no file {' or '.join(only)}; it has: {names}")
    total = sum(file.bytes for file in files)
    if total > downloading.free_bytes(folder):
        raise ReconError(f"{folder} has no room for {size_text(total)}")
    targets = {file: folder / name_for(file, name, every) for file in files}
    missing = [file for file in files if not downloading.is_there(targets[file], file)]
    with bar(f"Fetching {len(missing)} files", sum(file.bytes for file in missing), is_bytes=True) as progress:
        for file in missing:
            downloading.fetch(place, file, targets[file], progress)
    for file in files:
        kept = "" if file in missing else "  (was there)"
        print(f"{targets[file]}  {size_text(file.bytes)}{kept}")  # noqa: T201  # the result
    return 0


def name_for(file: ResultFile, job: str, every: Sequence[ResultFile]) -> str:
    """The file's name on this machine: a mesh `model.glb` gets the job's name, so that ten of them can lie in one folder."""
    path = PurePosixPath(file.name)
    named = f"{job}{path.suffix}"
    if path.stem == "model" and path.suffix in _MESHES and all(other.name != named for other in every):
        return str(path.with_name(named))
    return file.name
