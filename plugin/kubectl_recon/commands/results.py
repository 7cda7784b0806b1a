"""`results`: downloads the result of a job, resumes interrupted downloads, and verifies every file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from reconstruction_operator import disk
from reconstruction_operator.api.verdict import sentence
from reconstruction_operator.contract.manifest import local_names

from kubectl_recon.display.progress import bar, size_text
from kubectl_recon.display.screen import note
from kubectl_recon.errors import ReconError, UsageError
from kubectl_recon.gallery.client import Gallery
from kubectl_recon.gallery.reaching import Way, reached, token
from kubectl_recon.installation import published
from kubectl_recon.jobs.attention import phase_text
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube import manifests
from kubectl_recon.kube.api import Connection
from kubectl_recon.storage import downloading
from kubectl_recon.storage.downloading import Source
from kubectl_recon.targets.selecting import find


def of_job(connection: Connection, name: str, folder: str | None, only: Sequence[str], way: Way) -> int:
    """Download the result of a job into `folder`, by default one of its name. Exit code 0."""
    job = finished(connection, name)
    with place_of(connection, job, way) as place:
        _print_files(fetch(place, job.name, Path(folder or job.name), only))
    return 0


def of_address(uri: str, folder: str | None, only: Sequence[str]) -> int:
    """Download the result at an address, without a cluster. Exit code 0."""
    name = manifests.name_for(uri)
    _print_files(fetch(downloading.source(uri), name, Path(folder or name), only))
    return 0


def finished(connection: Connection, name: str) -> Job:
    """Return the job of that name. Raises UsageError if it has no result."""
    job = find(connection, name)
    if not job.output_uri:
        wait = "" if job.finished else f": wait for it (kubectl recon wait {job.name})"
        raise UsageError(f"{job.name} has no result ({phase_text(job)}){wait}")
    if text := sentence(job.status):
        note(f"{job.name}: {text}")
    return job


@contextmanager
def place_of(connection: Connection, job: Job, way: Way) -> Iterator[Source]:
    """Yield where to read the job's result: its address, or the gallery for a result on the workers' volume.

    Raises ReconError.
    """
    with ExitStack() as stack:
        try:
            place = (
                _in_gallery(connection, job, way, stack)
                if way.url or way.service
                else downloading.source(job.output_uri)
            )
        except downloading.UnseenError as unseen:
            try:
                place = _in_gallery(connection, job, way, stack)
            except ReconError as error:
                raise ReconError(f"{unseen} The gallery could serve it, but {error}") from error
        yield place


def _in_gallery(connection: Connection, job: Job, way: Way, stack: ExitStack) -> Source:
    way = published.gallery(connection.api, [job], way)
    url = stack.enter_context(reached(connection, way))
    return Gallery(url, token(connection, way)).result(job)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A local file of a result. `new`: it was downloaded now."""

    path: Path
    bytes: int
    new: bool


def fetch(place: Source, name: str, folder: Path, only: Sequence[str]) -> list[Fetched]:
    """Download the files that match `only`, by default all, into the folder."""
    place, every = downloading.files(place)
    files = [file for file in every if not only or any(fnmatch(file.name, pattern) for pattern in only)]
    if not files:
        names = ", ".join(file.name for file in every)
        raise UsageError(f"the result has no file {' or '.join(only)}; it has: {names}")
    total = sum(file.bytes for file in files)
    if total > (disk.free_bytes(folder) or 0):
        raise ReconError(f"{folder} has no room for {size_text(total)}")
    named = local_names([file.name for file in every], name)
    targets = {file: folder / named[file.name] for file in files}
    missing = [file for file in files if not downloading.is_there(targets[file], file)]
    with bar(f"Downloading {len(missing)} files", sum(file.bytes for file in missing), is_bytes=True) as progress:
        for file in missing:
            downloading.fetch(place, file, targets[file], progress)
    return [Fetched(targets[file], file.bytes, file in missing) for file in files]


def _print_files(files: Sequence[Fetched]) -> None:
    for file in files:
        suffix = "" if file.new else "  (kept)"
        print(f"{file.path}  {size_text(file.bytes)}{suffix}")  # noqa: T201  # the result
