"""Transfer commands: submit, results."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kubectl_recon.cli import completion
from kubectl_recon.cli import options as o
from kubectl_recon.errors import UsageError


@o.connecting
def submit(
    connect: o.Connect,
    photos: Annotated[list[str], typer.Argument(metavar="PHOTOS", help="Folders, photo files, or one address.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the job; by default made from the folder's.")
    ] = None,
    upload: Annotated[
        str | None,
        typer.Option(
            "--upload", envvar="RECON_UPLOAD", metavar="URI", help="Where to upload the photos: s3://BUCKET/FOLDER/."
        ),
    ] = None,
    model: o.Model = None,
    quality: o.Quality = None,
    parameters: o.Parameters = None,
    output: Annotated[
        str | None, typer.Option("--output", metavar="URI", help="Address to deliver the result to as well.")
    ] = None,
    queue: o.Queue = None,
    stage_queues: o.StageQueues = None,
    parts: o.Parts = None,
    priority: o.Priority = None,
    gallery: o.GalleryUrl = None,
    account: o.Account = None,
    labels: Annotated[
        list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="Label of the job; may be repeated.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Follow the job until it finishes.")] = True,
    opens: o.Open = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the photos and print the manifest; needs no cluster.")
    ] = False,
    force: o.Force = False,
    show: o.ObjectOption = None,
) -> None:
    """Check photos, upload them, create a job, and follow it until it finishes.

    PHOTOS are local folders or files, or one address that the workers can read. Local photos are uploaded to object
    storage with your own credentials (--upload), or else to the gallery, if the cluster has one.

    Exit code 0 if the job succeeded (with --no-follow: if it was submitted), 1 if it was rejected, 2 if the photos
    would fail or for a usage error, 3 if the job failed, 4 cancelled, 5 deleted, 130 after Ctrl-C, which does not stop
    the job.
    """
    from kubectl_recon.commands import submitting, viewing, watching
    from kubectl_recon.display.screen import note
    from kubectl_recon.gallery.reaching import named
    from kubectl_recon.kube import manifests
    from kubectl_recon.targets.selecting import Selection

    spec: dict[str, Any] = manifests.new(model=model, quality=quality, parameters=parameters or (), output=output)
    spec |= o.placement(queue, stage_queues, parts, priority)
    if opens and (dry_run or show is not None or not follow):
        raise UsageError("--open shows the mesh once the job has finished: omit --dry-run, --no-follow and -o")
    way = named(gallery, account)
    request = submitting.SubmitRequest(photos, name, spec, _labels(labels), upload, way, force)
    how = o.format_of(show)
    if dry_run:
        submitting.dry_run(connect, request, how)
        raise typer.Exit(0)
    connection = connect()
    job = submitting.run(connection, request, how)
    if not follow or show is not None:
        raise typer.Exit(0)
    try:
        code = watching.follow(connection, Selection((job.name,)), {job.key})
    except KeyboardInterrupt:
        note(f"{job.name} continues: kubectl recon watch {job.name}, or kubectl recon cancel {job.name}")
        raise
    if code == 0 and opens:
        raise typer.Exit(viewing.open_job(connection, job.name, way, browser=True))
    note(f"Next: kubectl recon {f'open {job.name}, or kubectl recon results' if code == 0 else 'why'} {job.name}")
    raise typer.Exit(code)


@o.connecting
def results(
    connect: o.Connect,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|URI",
            help="Job, @latest, or address such as s3://meshes/banana/.",
            autocompletion=completion.job_names,
        ),
    ],
    folder: Annotated[
        str | None, typer.Option("--output-dir", "-o", metavar="DIR", help="Folder; by default named after the job.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="PATTERN", help="Files such as '*.glb'; may be repeated.")
    ] = None,
    gallery: o.GalleryUrl = None,
    account: o.Account = None,
) -> None:
    """Download the result of a job, or a result in object storage.

    Complete files are kept, an interrupted download is resumed, and each file is verified (sha256). A result on the
    workers' volume is downloaded through the gallery, if there is one.
    """
    from kubectl_recon.commands import results as command
    from kubectl_recon.gallery.reaching import named

    if "://" in name:
        raise typer.Exit(command.of_address(name, folder, only or ()))
    connection = connect()
    raise typer.Exit(command.of_job(connection, name, folder, only or (), named(gallery, account)))


def _labels(options: list[str] | None) -> dict[str, str]:
    labels = {}
    for text in options or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f'--label "{text}": write name=value')
        labels[name] = value
    return labels
