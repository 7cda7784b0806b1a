"""`submit`: checks the photos, uploads them to object storage or to the gallery, and creates the job.

With --dry-run it prints the manifest. A cluster is optional then; if there is one, it checks the manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from reconstruction_operator.kube import paths
from reconstruction_operator.transfer.photos.masks import is_mask
from reconstruction_operator.units import counted

from kubectl_recon.display.formats import Format, document, objects
from kubectl_recon.display.formats import name as object_name
from kubectl_recon.display.progress import bar, size_text
from kubectl_recon.display.screen import note
from kubectl_recon.errors import (
    ForbiddenError,
    KubeconfigError,
    UnreachableError,
    UsageError,
)
from kubectl_recon.gallery import uploading
from kubectl_recon.gallery.client import Gallery
from kubectl_recon.gallery.reaching import NoGalleryError, Way, reached, token
from kubectl_recon.installation import accepting, published
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube import manifests
from kubectl_recon.kube.api import Connection
from kubectl_recon.photos import advice, scanning
from kubectl_recon.photos.estimates import estimates
from kubectl_recon.storage import buckets

_SAMPLE: Final = 20  # jobs whose status may name the installation
_EXAMPLE: Final = "input.uri is an example: replace it with the address of the photos for your workers"


@dataclass(frozen=True)
class SubmitRequest:
    """What to submit.

    `upload`: the folder in object storage for local photos; without it they are uploaded to the gallery.
    """

    photos: Sequence[str]
    name: str | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)  # without the input
    labels: Mapping[str, str] = field(default_factory=dict)
    upload: str | None = None
    way: Way = field(default_factory=Way)
    force: bool = False

    @property
    def address(self) -> str | None:
        """The address that the workers read; None for local photos."""
        return self.photos[0] if len(self.photos) == 1 and "://" in self.photos[0] else None

    def folder(self, name: str) -> buckets.Folder | None:
        """Return where photos for the job of that name are uploaded in object storage; None if they are not."""
        return buckets.Folder.of(self.upload).folder(name) if self.upload and self.address is None else None

    def body(self, name: str, namespace: str | None) -> dict[str, Any]:
        """Return the manifest; if the gallery will choose the address of the photos, with a placeholder."""
        uri = self.address or str(self.folder(name) or f"file:///photos/{name}")
        return manifests.manifest(name, {"input": {"uri": uri}, **self.spec}, namespace=namespace, labels=self.labels)


def run(connection: Connection, request: SubmitRequest, how: Format | None) -> Job:
    """Submit, and return the created job. Raises UsageError if the photos would fail."""
    body = checked(connection, request)  # before the upload
    compare(connection, request, body["spec"])
    files = [] if request.address is not None else check(request.photos, force=request.force)
    folder = request.folder(body["metadata"]["name"])
    if files and folder is None:
        return _by_gallery(connection, request, body, files, how)
    if folder is not None:
        _upload(folder, files)
    return _submitted(Job(manifests.create(connection, [body["metadata"]["name"]], lambda _: body)), how)


def dry_run(connect: Callable[[], Connection], request: SubmitRequest, how: Format | None) -> None:
    """Print the manifest, by default as YAML, and what `submit` would do.

    Raises UsageError for photos that would fail, and ApiError if the API server rejects the manifest.
    """
    connection, body, silence = None, request.body(stem(request), None), ""
    try:
        connection = connect()
        body = checked(connection, request)
    except (KubeconfigError, UnreachableError) as error:
        silence = str(error)
    files = [] if request.address is not None else check(request.photos, force=request.force)
    tell_costs(files)
    is_example = not request.address and not request.upload
    _show(body, how, f"# {_EXAMPLE}\n" if is_example else "")
    if files:
        there = request.folder(body["metadata"]["name"])
        note(
            f"{counted(len(files), 'file')} "
            + (f"would go to {there}" if there else _destination(connection, request, silence))
        )
    if connection is not None and not silence:
        compare(connection, request, body["spec"])
    verdict = f"not checked by the API server: {silence}" if silence else "the API server accepts it"
    note(f"{body['metadata']['name']}: not submitted (dry run); {verdict}")


def _show(body: Mapping[str, Any], how: Format | None, comment: str) -> None:
    text = object_name(body) if how is Format.NAME else document(body, how or Format.YAML)
    print(text if how in (Format.NAME, Format.JSON) else comment + text)  # noqa: T201  # the result


def _destination(connection: Connection | None, request: SubmitRequest, silence: str) -> str:
    """Return where the photos would be uploaded without --upload."""
    if connection is None or silence:
        return "would go to the gallery, if the cluster has one"
    way = published.gallery(connection.api, _jobs(connection), request.way)
    if way.url or way.service:
        return "would go to the gallery, which chooses their address"
    return f"cannot be uploaded yet, since there is no gallery: {nowhere(request)}"


def _submitted(job: Job, how: Format | None) -> Job:
    if how is not None:
        print(objects([job.raw], how, single=True))  # noqa: T201  # the result
    else:
        note(f"{job.name}: submitted to namespace {job.namespace}")
    return job


def _by_gallery(
    connection: Connection,
    request: SubmitRequest,
    body: dict[str, Any],
    files: Sequence[scanning.Photo],
    how: Format | None,
) -> Job:
    """Upload to the gallery, and create the job. Raises UsageError without a gallery: the photos then need --upload."""
    with ExitStack() as stack:
        try:
            way = published.gallery(connection.api, _jobs(connection), request.way)
            url = stack.enter_context(reached(connection, way))
        except NoGalleryError as error:
            raise UsageError(f"{nowhere(request)} ({error})") from error
        gallery = Gallery(url, token(connection, way))
        total = scanning.total_bytes(files)
        progress = stack.enter_context(bar(f"Uploading {counted(len(files), 'photo')}", total, is_bytes=True))
        uri = stack.enter_context(uploading.uploaded(gallery, connection.namespace, files, progress))
        body["spec"]["input"] = {"uri": uri}
        job = manifests.create(connection, [body["metadata"]["name"]], lambda _: body)
    return _submitted(Job(job), how)


def check(paths: Sequence[str], *, force: bool) -> list[scanning.Photo]:
    """Print the findings, and return the usable photos with their masks.

    Raises UsageError for a set that would fail.
    """
    files = scanning.find(paths)
    if not files:
        raise UsageError(f"{', '.join(paths)}: it has no files")
    with bar("Checking photos", len(files)) as progress:
        scanned = scanning.scan(files, lambda: progress(1))
    photos = [photo for photo in scanned if not is_mask(photo.name)]
    masks = [mask for mask in scanned if is_mask(mask.name) and not mask.problem]
    usable = [photo for photo in photos if not photo.problem]
    kinds = ", ".join(sorted({photo.kind for photo in usable})) or "none"
    beside = f", {counted(len(masks), 'mask')}" if masks else ""
    note(f"{counted(len(usable), 'photo')} ({kinds}){beside}, {size_text(scanning.total_bytes([*usable, *masks]))}")
    findings = advice.findings(photos)
    for finding in findings:
        note(f"  {finding.level}: {finding.text}")
    if not force and any(finding.level is advice.Level.ERROR for finding in findings):
        raise UsageError("this photo set would fail: fix it, or add --force")
    return [*usable, *masks]


def tell_costs(photos: Sequence[scanning.Photo]) -> None:
    """Print what a mesh of these photos is expected to take."""
    for finding in estimates(photos):
        note(f"  {finding.level}: {finding.text}")


def stem(request: SubmitRequest) -> str:
    """Return the requested name, or one made from the folder's name."""
    first = request.photos[0]
    return request.name or manifests.name_for(first if "://" in first else str(Path(first).absolute()))


def checked(connection: Connection, request: SubmitRequest) -> dict[str, Any]:
    """Return the manifest, under the requested name or the next free one.

    Raises ApiError if the API server rejects it.
    """
    first = stem(request)
    names = [first] if request.name else [first, *manifests.names_after(first)]
    job = manifests.create(connection, names, lambda name: request.body(name, connection.namespace), dry_run=True)
    return request.body(job["metadata"]["name"], connection.namespace)


def compare(connection: Connection, request: SubmitRequest, spec: Mapping[str, Any]) -> None:
    """Compare the spec with what the operator publishes.

    Raises UsageError for a job that would fail, before any upload.
    """
    installation = published.read(connection.api, _jobs(connection))
    problem = accepting.problem(installation, spec)
    if problem and not request.force:
        raise UsageError(f"this job would fail: {problem}. Nothing was uploaded; --force submits it all the same")
    if text := problem or installation.missing or installation.away(connection.api.now()):
        note(f"  warning: {text}")


def _jobs(connection: Connection) -> list[Job]:
    try:
        return list(map(Job, connection.api.get(paths.jobs(connection.namespace), limit=_SAMPLE)["items"]))
    except ForbiddenError:  # a user with the right to create jobs may lack the right to list them
        return []


def nowhere(request: SubmitRequest) -> str:
    """Return advice for local photos that cannot be uploaded."""
    return (
        "the workers cannot read this machine's files, so the photos must be uploaded. Choose a folder in object "
        "storage with --upload s3://BUCKET/FOLDER/ (or RECON_UPLOAD), or, if the workers mount the same folder, "
        f"use its address: file://{Path(request.photos[0]).absolute()}"
    )


def _upload(folder: buckets.Folder, photos: Sequence[scanning.Photo]) -> None:
    buckets.require()
    from kubectl_recon.storage import uploading as objects_uploading  # noqa: PLC0415  # needs an optional extra

    files = [(photo.path, photo.name) for photo in photos]
    total = scanning.total_bytes(photos)
    with bar(f"Uploading {counted(len(files), 'photo')}", total, is_bytes=True) as progress:
        sent = objects_uploading.upload(folder, files, progress)
    there = f" ({len(files) - sent} were already there)" if sent < len(files) else ""
    note(f"{counted(len(files), 'photo')} at {folder}{there}")
