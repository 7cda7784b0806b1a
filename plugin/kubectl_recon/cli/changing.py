"""Commands that change jobs: cancel, suspend, resume, retry, add, restore."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from kubectl_recon.cli import options as o
from kubectl_recon.errors import UsageError


@o.connecting
def cancel(
    connect: o.Connect,
    names: o.Names = None,
    everywhere: o.Everywhere = False,
    selector: o.Selector = None,
    every: o.All = False,
    request: Annotated[
        bool, typer.Option("--request", help="Request the cancel only (step one). The job continues.")
    ] = False,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Confirm a requested cancel (step two). This is final.")
    ] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Withdraw a requested cancel.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take both steps without a prompt.")] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Reason in one line, for the job's conditions and Events.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the jobs have stopped.")] = True,
    output: o.ObjectsOption = None,
) -> None:
    """Cancel jobs in two steps: request the cancels, show what would be lost, prompt once, and confirm.

    The answer "no" withdraws the requests. Scripts use --request, then --confirm or --withdraw; or --yes.
    """
    from kubectl_recon.commands import cancelling
    from kubectl_recon.targets.selecting import Selection

    step = cancelling.Step
    chosen = [
        choice
        for choice, is_set in ((step.REQUEST, request), (step.CONFIRM, confirm), (step.WITHDRAW, withdraw))
        if is_set
    ]
    if len(chosen) > 1 or (chosen and yes):
        raise UsageError("use one of --request, --confirm, --withdraw and --yes")
    options = cancelling.Options(chosen[0] if chosen else step.BOTH, yes, reason, wait, o.format_of(output))
    connection = connect()
    selection = Selection(names or (), selector, everywhere, every)
    raise typer.Exit(cancelling.run(connection, selection, options, typer.confirm))


def _suspending(help_text: str, *, suspended: bool) -> Callable[..., None]:
    """Return the command that suspends jobs, or resumes them."""

    @o.connecting
    def command(
        connect: o.Connect,
        names: o.Names = None,
        everywhere: o.Everywhere = False,
        selector: o.Selector = None,
        every: o.All = False,
        output: o.ObjectsOption = None,
    ) -> None:
        from kubectl_recon.commands import changing
        from kubectl_recon.targets.selecting import Selection

        selection = Selection(names or (), selector, everywhere, every)
        raise typer.Exit(changing.suspend(connect(), selection, o.format_of(output), suspended=suspended))

    command.__doc__ = help_text
    return command


suspend = _suspending("Suspend jobs. They do not run until they are resumed.", suspended=True)
resume = _suspending("Resume suspended jobs.", suspended=False)


@o.connecting
def retry(
    connect: o.Connect,
    name: o.Name,
    new_name: Annotated[str | None, typer.Option("--name", help="Name of the new job.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Model of the new job.")] = None,
    quality: o.Quality = None,
    parameters: o.Parameters = None,
    photos: Annotated[
        str | None, typer.Option("--input", metavar="URI", help="Address of the photos, for the workers.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", metavar="URI", help="Output address of the new job.")
    ] = None,
    queue: o.Queue = None,
    stage_queues: o.StageQueues = None,
    parts: o.Parts = None,
    priority: o.Priority = None,
    deadline: Annotated[
        str | None,
        typer.Option("--deadline", metavar="DURATION", help="Time that the new job may take, such as 2h; or none."),
    ] = None,
    queue_deadline: Annotated[
        str | None,
        typer.Option(
            "--queue-deadline",
            metavar="DURATION",
            help="Time that it may wait for its first start, such as 2h; or none.",
        ),
    ] = None,
    edit: Annotated[
        bool,
        typer.Option("--edit", help="Edit the manifest of the new job (KUBE_EDITOR, EDITOR) before it is created."),
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the new job until it finishes.")] = False,
    show: o.ObjectOption = None,
) -> None:
    """Run a finished job again: create a job with the same spec and the next free name, such as banana-2.

    Options change the spec, and --param adds to the parameters of the finished job; --param NAME=null removes one. With
    another --model, no parameter is kept. What changed is printed. The finished job itself never runs again.
    """
    from kubectl_recon.commands import editing, retrying, watching
    from kubectl_recon.kube import manifests
    from kubectl_recon.targets.selecting import Selection

    connection = connect()
    changes = manifests.changes(model=model, quality=quality, parameters=parameters or (), output=output)
    changes |= o.placement(queue, stage_queues, parts, priority)
    changes |= {"input": {"uri": photos}} if photos else {}
    for field, duration in (("activeDeadlineSeconds", deadline), ("queueDeadlineSeconds", queue_deadline)):
        changes |= {} if duration is None else {field: None if duration == "none" else o.seconds(duration)}
    request = retrying.RetryRequest(name, changes, new_name, editing.by_editor if edit else None)
    job = retrying.run(connection, request, o.format_of(show))
    if follow and show is None:
        raise typer.Exit(watching.follow(connection, Selection((job.name,)), {job.key}))


@o.connecting
def add(
    connect: o.Connect,
    name: o.Name,
    photos: Annotated[list[str], typer.Argument(metavar="PHOTOS", help="Folders and photo files on this machine.")],
    new_name: Annotated[str | None, typer.Option("--name", help="Name of the new job.")] = None,
    quality: o.Quality = None,
    parameters: o.Parameters = None,
    output: Annotated[
        str | None, typer.Option("--output", metavar="URI", help="Output address of the new job.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the new job until it finishes.")] = False,
    show: o.ObjectOption = None,
) -> None:
    """Add photos to those of a finished job: create a job with both and the next free name, such as banana-2.

    The photos of the finished job must be in a folder of object storage. They are copied there into a folder beside
    it, and PHOTOS are uploaded to it, with your own credentials. The new job continues from the stages of the finished
    one for the photos that are equal.
    """
    from kubectl_recon.commands import adding, watching
    from kubectl_recon.kube import manifests
    from kubectl_recon.targets.selecting import Selection

    connection = connect()
    changes = manifests.changes(model=None, quality=quality, parameters=parameters or (), output=output)
    job = adding.run(connection, adding.AddRequest(name, photos, changes, new_name), o.format_of(show))
    if follow and show is None:
        raise typer.Exit(watching.follow(connection, Selection((job.name,)), {job.key}))


@o.connecting
def restore(
    connect: o.Connect,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The deleted job.")] = None,
    queue: Annotated[
        str | None, typer.Option("--queue", help="Queue of the workers that have the volume with the result.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Follow the new job until it finishes.")] = True,
    everywhere: o.Everywhere = False,
    gallery: o.GalleryUrl = None,
    account: o.Account = None,
) -> None:
    """Restore the result of a deleted job from the trash: a new job of the same name takes it over, and no model runs.

    Without NAME, list the trash by the gallery. Exit code 3 if there is no such result.
    """
    from kubectl_recon.commands.gone import restoring
    from kubectl_recon.gallery.reaching import named

    connection = connect()
    way = named(gallery, account)
    if name is None:
        restoring.listed(connection, way, everywhere=everywhere)
        return
    spec = {"queue": queue} if queue else {}
    raise typer.Exit(restoring.restore(connection, name, spec, way, follow=follow))
