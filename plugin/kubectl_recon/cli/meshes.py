"""Commands about the mesh itself, also without a cluster: open, preview, run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kubectl_recon.cli import completion
from kubectl_recon.cli import options as o

Target = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FOLDER|URI",
        help="A job, @latest, a folder of this machine (as ./banana), or an address such as s3://meshes/banana/.",
        autocompletion=completion.job_names,
    ),
]


@o.connecting
def open_(
    connect: o.Connect,
    target: Target,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Or print the address alone.")] = True,
    gallery: o.GalleryUrl = None,
    account: o.Account = None,
) -> None:
    """Show a mesh in the browser, until Ctrl-C.

    In the gallery, if the cluster has one: by kubectl port-forward, signed in with your own token (or that of --account). Otherwise the
    result is fetched, and this program serves its report to this machine alone.
    """
    from kubectl_recon.commands import viewing
    from kubectl_recon.gallery.reaching import Way

    what = viewing.Viewed(target, connect, Way(gallery, account))
    raise typer.Exit(viewing.open_page(what, browser=browser))


@o.connecting
def preview(connect: o.Connect, target: Target, gallery: o.GalleryUrl = None, account: o.Account = None) -> None:
    """Show pictures of a mesh in the terminal: by kitty's protocol or sixel where it can, else by coloured blocks."""
    from kubectl_recon.commands import viewing
    from kubectl_recon.gallery.reaching import Way

    what = viewing.Viewed(target, connect, Way(gallery, account))
    raise typer.Exit(viewing.preview(what))


def run(
    photos: Annotated[list[str], typer.Argument(metavar="PHOTOS", help="Folders or files of photos.")],
    folder: Annotated[
        str | None,
        typer.Option("--output-dir", "-o", metavar="DIR", help="New folder; by default named like the photos."),
    ] = None,
    model: o.Model = None,
    quality: o.Quality = None,
    parameters: o.Parameters = None,
    threads: Annotated[int, typer.Option("--threads", help="Processor threads; 0: all.")] = 0,
    force: o.Force = False,
    opens: o.Open = False,
) -> None:
    """Reconstruct on this machine, without a cluster: checks the photos, runs the model, shows its progress.

    Needs the models beside this program: pip install 'reconstruction-operator[photogrammetry]'. Exit code 2 if the photos would fail,
    3 if the model failed.
    """
    from kubectl_recon.commands import running, viewing
    from kubectl_recon.kube import manifests

    spec = manifests.changes(model=model, quality=quality, parameters=parameters or (), output=None)
    into = Path(folder or f"{manifests.name_for(str(Path(photos[0]).absolute()))}-mesh")
    wanted = spec.get("modelType", "photogrammetry")
    running.run(running.LocalRun(photos, into, wanted, spec.get("parameters", {}), threads, force))
    raise typer.Exit(viewing.open_folder(into, into.name, browser=True) if opens else 0)
