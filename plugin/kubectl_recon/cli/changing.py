"""Commands that change jobs: cancel, suspend, resume, retry, restore."""

from __future__ import annotations

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
    request: Annotated[bool, typer.Option("--request", help="Step one alone: announce it. The job continues.")] = False,
    confirm: Annotated[bool, typer.Option("--confirm", help="Step two alone, of an announced cancel. Final.")] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Withdraw an announced cancel.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Both steps without asking.")] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why, in one line: in the job's conditions and Events.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the jobs are stopped.")] = True,
    output: o.ObjectsOption = None,
) -> None:
    """Cancel jobs in two steps: announces it, shows what would be lost, asks once, and confirms.

    A "no" withdraws what it announced. For scripts: --request, then --confirm or --withdraw; or --yes.
    """
    from kubectl_recon.commands import cancelling
    from kubectl_recon.targets.selecting import Selection

    step = cancelling.Step
    chosen = [
        one for one, given in ((step.REQUEST, request), (step.CONFIRM, confirm), (step.WITHDRAW, withdraw)) if given
    ]
    if len(chosen) > 1 or (chosen and yes):
        raise UsageError("use one of --request, --confirm, --withdraw and --yes")
    options = cancelling.Options(chosen[0] if chosen else step.BOTH, yes, reason, wait, o.format_of(output))
    connection = connect()
    selection = Selection(names or (), selector, everywhere, every)
    raise typer.Exit(cancelling.run(connection, selection, options, typer.confirm))


@o.connecting
def suspend(
    connect: o.Connect,
    names: o.Names = None,
    everywhere: o.Everywhere = False,
    selector: o.Selector = None,
    every: o.All = False,
    output: o.ObjectsOption = None,
) -> None:
    """Suspend jobs: none of them runs until it is resumed."""
    from kubectl_recon.commands import changing
    from kubectl_recon.targets.selecting import Selection

    selection = Selection(names or (), selector, everywhere, every)
    connection = connect()
    raise typer.Exit(changing.suspend(connection, selection, o.format_of(output), wanted=True))


@o.connecting
def resume(
    connect: o.Connect,
    names: o.Names = None,
    everywhere: o.Everywhere = False,
    selector: o.Selector = None,
    every: o.All = False,
    output: o.ObjectsOption = None,
) -> None:
    """Resume suspended jobs."""
    from kubectl_recon.commands import changing
    from kubectl_recon.targets.selecting import Selection

    selection = Selection(names or (), selector, everywhere, every)
    connection = connect()
    raise typer.Exit(changing.suspend(connection, selection, o.format_of(output), wanted=False))


@o.connecting
def retry(
    connect: o.Connect,
    name: o.Name,
    new_name: Annotated[str | None, typer.Option("--name", help="Name of the new job.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Another model.")] = None,
    quality: o.Quality = None,
    parameters: o.Parameters = None,
    output: Annotated[str | None, typer.Option("--output", help="Another address for the result.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow it to its end.")] = False,
    show: o.ObjectOption = None,
) -> None:
    """Run a finished job again: a new job with the same spec under the next free name, such as banana-2.

    A finished job itself never runs again.
    """
    from kubectl_recon.commands import changing, watching
    from kubectl_recon.kube import manifests
    from kubectl_recon.targets.selecting import Selection

    connection = connect()
    changes = manifests.changes(model=model, quality=quality, parameters=parameters or (), output=output)
    job = changing.retry(connection, name, changes, new_name, o.format_of(show))
    if follow and show is None:
        raise typer.Exit(watching.follow(connection, Selection((job.name,)), {job.key: job}))


@o.connecting
def restore(
    connect: o.Connect,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The deleted job.")] = None,
    queue: Annotated[str | None, typer.Option("--queue", help="Queue of workers that have its volume.")] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Follow it to its end.")] = True,
    everywhere: o.Everywhere = False,
) -> None:
    """Bring the result of a deleted job back from the trash: a new job of its name takes it over, and nothing runs.

    Without NAME lists what is in the trash, which needs the right to exec into the pods of workers. Exit code 3 if there is no such
    result.
    """
    from kubectl_recon.commands import restoring

    connection = connect()
    if name is None:
        raise typer.Exit(restoring.listed(connection, everywhere=everywhere))
    spec = {"queue": queue} if queue else {}
    raise typer.Exit(restoring.restore(connection, name, spec, follow=follow))
