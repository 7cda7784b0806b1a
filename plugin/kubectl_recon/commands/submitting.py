"""`submit`: checks the photos, sends them to object storage and applies the manifest, or has the gallery do both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kubectl_recon.display.formats import Format, document, objects
from kubectl_recon.display.progress import bar, size_text
from kubectl_recon.display.screen import note
from kubectl_recon.errors import ApiError, ConflictError, ReconError, UsageError
from kubectl_recon.fleet import operator
from kubectl_recon.gallery import uploading
from kubectl_recon.gallery.client import Gallery
from kubectl_recon.gallery.reaching import NoGalleryError, Way, reached, token
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube import manifests, resources
from kubectl_recon.kube.connection import Connection
from kubectl_recon.photos import advice, scanning
from kubectl_recon.storage import buckets

_TRIES: Final = 100  # names that are taken
_ANYWHERE: Final = "file:///photos"  # of a rehearsal before an upload


@dataclass(frozen=True)
class Request:
    """What to submit. `upload`: the folder of object storage under which photos of this machine go; without it to the gallery."""

    photos: Sequence[str]
    name: str | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)  # without the input
    labels: Mapping[str, str] = field(default_factory=dict)
    upload: str | None = None
    way: Way = field(default_factory=Way)
    force: bool = False
    dry_run: bool = False


def run(connection: Connection, request: Request, how: Format | None) -> Job | None:
    """Submit; the job as the API server has it, or None for a dry run. Raises UsageError if the photos would fail."""
    address = request.photos[0] if len(request.photos) == 1 and "://" in request.photos[0] else None
    name = _free_name(connection, request)
    if address is not None:
        uri, files = address, []
    else:
        files = check(request.photos, force=request.force)
        if request.upload is None and not request.dry_run:
            return _by_gallery(connection, request, name, files, how)
        folder = _folder(request, name)
        uri = str(folder)
    body = manifests.manifest(
        name, {"input": {"uri": uri}, **request.spec}, namespace=connection.namespace, labels=request.labels
    )
    if request.dry_run:
        _rehearse(connection, body, how, files)
        return None
    _apply(connection, body, dry_run=True)  # what the API server refuses is not uploaded first
    if files:
        _upload(folder, files)
    return _submitted(Job(_apply(connection, body)), how)


def _submitted(job: Job, how: Format | None) -> Job:
    if how is not None:
        print(objects([job.raw], how, one=True))  # noqa: T201  # the result
    else:
        note(f"{job.name}: submitted to namespace {job.namespace}")
    return job


def _by_gallery(
    connection: Connection, request: Request, name: str, files: Sequence[scanning.Photo], how: Format | None
) -> Job:
    """Upload to the gallery, which creates the job. Raises UsageError without a gallery: then the user has to name a place."""
    body = manifests.manifest(
        name, {"input": {"uri": _ANYWHERE}, **request.spec}, namespace=connection.namespace, labels=request.labels
    )
    _apply(connection, body, dry_run=True)
    namespace, _ = operator.where([Job(one) for one in connection.api.items(resources.jobs(connection.namespace))[0]])
    with ExitStack() as stack:
        try:
            url = stack.enter_context(reached(connection, namespace, request.way))
        except NoGalleryError as error:
            raise UsageError(f"{_nowhere(request)} ({error})") from error
        gallery = Gallery(url, token(connection, request.way))
        total = scanning.total_bytes(files)
        progress = stack.enter_context(bar(f"Uploading {len(files)} photos", total, is_bytes=True))
        uploading.submit(gallery, body, files, progress)
    path = resources.job(connection.namespace, name)
    labels = {"metadata": {"labels": dict(request.labels)}}
    return _submitted(Job(connection.api.merge(path, labels) if request.labels else connection.api.get(path)), how)


def check(paths: Sequence[str], *, force: bool) -> list[scanning.Photo]:
    """The usable photos at these paths with their masks, after the findings were shown. Raises UsageError for a set that would fail."""
    files = scanning.find(paths)
    if not files:
        raise UsageError(f"{', '.join(paths)}: there is no file in it")
    with bar("Checking photos", len(files)) as progress:
        scanned = scanning.scan(files, lambda: progress(1))
    photos = [photo for photo in scanned if not scanning.is_mask(photo.name)]
    masks = [mask for mask in scanned if scanning.is_mask(mask.name) and not mask.problem]
    usable = [photo for photo in photos if not photo.problem]
    kinds = ", ".join(sorted({photo.kind for photo in usable})) or "none"
    beside = f", {len(masks)} masks" if masks else ""
    note(f"{len(usable)} photos ({kinds}){beside}, {size_text(scanning.total_bytes([*usable, *masks]))}")
    found = advice.findings(photos)
    for finding in found:
        note(f"  {finding.level}: {finding.text}")
    if not force and any(finding.level is advice.Level.ERROR for finding in found):
        raise UsageError("this set would fail: mend it, or add --force")
    return [*usable, *masks]


def _free_name(connection: Connection, request: Request) -> str:
    """The name that was asked for, or the next free one made from that of the folder."""
    if request.name:
        return request.name
    stem = manifests.name_for(
        str(Path(request.photos[0]).absolute()) if "://" not in request.photos[0] else request.photos[0]
    )
    try:
        bodies, _ = connection.api.items(resources.jobs(connection.namespace))
    except ReconError:
        if request.dry_run:  # which needs no cluster
            return stem
        raise
    taken = {str(body["metadata"]["name"]) for body in bodies}
    for name in [stem, *(f"{stem}-{number}" for number in range(2, _TRIES))]:
        if name not in taken:
            return name
    raise UsageError(f"the names {stem} to {stem}-{_TRIES - 1} are taken: choose one with --name")


def _folder(request: Request, name: str) -> buckets.Folder:
    if request.upload is None:
        raise UsageError(_nowhere(request))
    return buckets.Folder.parse(request.upload).below(name)


def _nowhere(request: Request) -> str:
    return (
        "the workers do not see this machine's files, so the photos must go where they do. Name a folder of object "
        "storage with --upload s3://BUCKET/FOLDER/ (or RECON_UPLOAD), or, if the workers mount the same folder, "
        f"its address: file://{Path(request.photos[0]).absolute()}"
    )


def _upload(folder: buckets.Folder, photos: Sequence[scanning.Photo]) -> None:
    buckets.require()
    from kubectl_recon.storage import uploading as objects_uploading  # noqa: PLC0415  # needs an optional extra

    files = [(photo.path, photo.name) for photo in photos]
    total = scanning.total_bytes(photos)
    with bar(f"Uploading {len(files)} photos", total, is_bytes=True) as progress:
        sent = objects_uploading.upload(folder, files, progress)
    there = f" ({len(files) - sent} were there already)" if sent < len(files) else ""
    note(f"{len(files)} photos are at {folder}{there}")


def _rehearse(
    connection: Connection, body: dict[str, Any], how: Format | None, files: Sequence[scanning.Photo]
) -> None:
    """Show what would be done. The API server is asked too, if it can be: it knows its rules."""
    verdict = "the API server accepts it"
    try:
        _apply(connection, body, dry_run=True)
    except ApiError:
        raise
    except ReconError as error:
        verdict = f"the API server was not asked: {error}"
    if how is not None and how is not Format.NAME:
        print(document(body, Format.YAML if how is Format.WIDE else how))  # noqa: T201  # the result
    elif how is Format.NAME:
        print(objects([body], how, one=True))  # noqa: T201  # the result
    uploads = f"{len(files)} photos would go to {body['spec']['input']['uri']}; " if files else ""
    note(f"{body['metadata']['name']}: not submitted (dry run); {uploads}{verdict}")


def _apply(connection: Connection, body: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
    """A server-side apply. A field that another program owns is not taken from it."""
    path = resources.job(connection.namespace, body["metadata"]["name"])
    try:
        return connection.api.apply(path, body, fieldValidation="Strict", dryRun="All" if dry_run else None)
    except ConflictError as error:
        raise ReconError(
            f"{body['metadata']['name']} was made by another program: choose another --name ({error})"
        ) from error
