"""`add`: creates a job from a finished one, with its photos and more, in a new folder of the same bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconstruction_operator.transfer.objects.address import ObjectAddress, is_object
from reconstruction_operator.units import counted

from kubectl_recon.commands import retrying
from kubectl_recon.commands.retrying import RetryRequest
from kubectl_recon.display.formats import Format
from kubectl_recon.display.progress import bar
from kubectl_recon.display.screen import note
from kubectl_recon.errors import UsageError
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube import manifests
from kubectl_recon.kube.api import Connection
from kubectl_recon.photos import scanning
from kubectl_recon.storage import buckets
from kubectl_recon.storage.buckets import Folder
from kubectl_recon.targets.selecting import find


@dataclass(frozen=True)
class AddRequest:
    """What to add. `changes`: a merge patch of the finished job's spec, as of `retry`."""

    name: str  # of the finished job
    photos: Sequence[str]  # local files and folders
    changes: Mapping[str, Any] = field(default_factory=dict)
    new_name: str | None = None


def run(connection: Connection, request: AddRequest, how: Format | None) -> Job:
    """Copy the photos of the job, upload the others beside the copies, and create the job.

    Raises UsageError, before anything is copied, for photos that cannot be used or copied.
    """
    original = find(connection, request.name)
    source = folder_of(original, request.photos)
    photos = _usable(request.photos)
    plain = RetryRequest(original.name, request.changes, request.new_name)
    body = retrying.body(original, plain)
    names = [request.new_name] if request.new_name else manifests.names_after(original.name)

    def made(name: str) -> dict[str, Any]:
        return {**body, "metadata": {**body["metadata"], "name": name}}

    name = manifests.create(connection, names, made, dry_run=True)["metadata"]["name"]
    target = beside(source, name)
    _fill(target, source, photos)
    changes = manifests.merged(request.changes, {"input": {"uri": str(target)}})
    return retrying.run(connection, RetryRequest(original.name, changes, name), how)


def folder_of(job: Job, more: Sequence[str]) -> Folder:
    """Return the folder with the photos of the job. Raises UsageError if they are not in a folder of a bucket."""
    uri = str(job.spec.get("input", {}).get("uri") or "")
    if is_object(uri) and not ObjectAddress.parse(uri, "").is_archive and ObjectAddress.parse(uri, "").key:
        return Folder.of(uri)
    raise UsageError(
        f"the photos of {job.name} are at {uri or 'no address'}, which is not a folder of a bucket, so this command "
        f"cannot copy them. Submit them again together with the new ones: kubectl recon submit OLD "
        f"{' '.join(more)}; the job continues from the stages of {job.name} for the photos that are equal"
    )


def beside(folder: Folder, name: str) -> Folder:
    """Return the folder of that name in the one that contains `folder`."""
    above, _, _ = folder.key.rpartition("/")
    return Folder(folder.scheme, folder.bucket, above, is_folder=True).folder(name)


def _usable(paths: Sequence[str]) -> list[scanning.Photo]:
    """Return the new photos. Raises UsageError if there are none, or one of them cannot be used."""
    files = scanning.find(paths)
    if not files:
        raise UsageError(f"{', '.join(paths)}: it has no files")
    with bar("Checking photos", len(files)) as progress:
        photos = scanning.scan(files, lambda: progress(1))
    if bad := [f"{photo.name}: {photo.problem}" for photo in photos if photo.problem]:
        raise UsageError("; ".join(bad))
    return photos


def _fill(target: Folder, source: Folder, photos: Sequence[scanning.Photo]) -> None:
    buckets.require()
    from kubectl_recon.storage import uploading  # noqa: PLC0415  # needs an optional extra

    there = uploading.copy(source, target, {photo.name: photo.path for photo in photos})
    files = [(photo.path, photo.name) for photo in photos if photo.name not in there]
    with bar(f"Uploading {counted(len(files), 'photo')}", scanning.total_bytes(photos), is_bytes=True) as progress:
        uploading.upload(target, files, progress, beside=there)
    note(f"{counted(len(there), 'photo')} copied and {len(files)} added at {target}")
