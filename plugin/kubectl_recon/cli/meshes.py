"""Mesh commands, which also work without a cluster: open, preview, run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kubectl_recon.cli import completion
from kubectl_recon.cli import options as o
from kubectl_recon.errors import UsageError

Target = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FOLDER|URI",
        help="Job, @latest, local folder such as ./banana, or address such as s3://meshes/banana/.",
        autocompletion=completion.job_names,
    ),
]


@o.connecting
def open_(
    connect: o.Connect,
    target: Target,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the browser, or only print the address.")
    ] = True,
    gallery: o.GalleryUrl = None,
    account: o.Account = None,
    writes: Annotated[
        bool,
        typer.Option(
            "--write", help="Let the gallery cancel and create jobs as the --account, with a token of the API server."
        ),
    ] = False,
) -> None:
    """Show a mesh in the browser, until Ctrl-C.

    If the cluster has a gallery, it shows the mesh, signed in with your own token, or with one of --account for
    reading. Otherwise this program downloads the result and serves its report, for this machine only.
    """
    from kubectl_recon.commands import viewing
    from kubectl_recon.gallery.reaching import named

    what = viewing.Viewed(target, connect, named(gallery, account, writes=writes))
    raise typer.Exit(viewing.open_page(what, browser=browser))


@o.connecting
def preview(connect: o.Connect, target: Target, gallery: o.GalleryUrl = None, account: o.Account = None) -> None:
    """Show pictures of a mesh in the terminal, as coloured blocks."""
    from kubectl_recon.commands import viewing
    from kubectl_recon.gallery.reaching import named

    what = viewing.Viewed(target, connect, named(gallery, account))
    raise typer.Exit(viewing.preview(what))


def run(
    photos: Annotated[
        list[str], typer.Argument(metavar="PHOTOS", help="Folders, photo files, or archives such as photos.zip.")
    ],
    folder: Annotated[
        str | None,
        typer.Option("--output-dir", "-o", metavar="DIR", help="New folder; by default named after the photos."),
    ] = None,
    model: o.Model = None,
    quality: o.Quality = None,
    parameters: o.Parameters = None,
    threads: Annotated[int, typer.Option("--threads", min=0, help="Number of CPU threads; 0: all.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check, and print the expected time, memory and disk.")
    ] = False,
    force: o.Force = False,
    opens: o.Open = False,
) -> None:
    """Reconstruct on this machine, without a cluster: check the photos, run the model, and show its progress.

    The models must be installed: reconstruction-operator with its extra photogrammetry. Exit code 2 if the photos would
    fail, or for a model, parameter or folder that cannot be used; 3 if the model failed; 130 after Ctrl-C.
    """
    from kubectl_recon.commands import running, viewing
    from kubectl_recon.kube import manifests

    if opens and dry_run:
        raise UsageError("--open shows the mesh once it is made: omit --dry-run")
    spec = manifests.new(model=model, quality=quality, parameters=parameters or (), output=None)
    into = folder or f"{manifests.name_for(str(Path(photos[0]).absolute()))}-mesh"
    model_type = spec.get("modelType", "photogrammetry")
    running.run(running.LocalRun(photos, into, model_type, spec.get("parameters", {}), threads, force, dry_run))
    raise typer.Exit(viewing.open_folder(Path(into), Path(into).name, browser=True) if opens else 0)
