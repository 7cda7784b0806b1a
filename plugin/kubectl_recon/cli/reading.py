"""Read-only commands: get, watch, wait, why, history, logs."""

from __future__ import annotations

from typing import Annotated

import typer

from kubectl_recon.cli import completion
from kubectl_recon.cli import options as o
from kubectl_recon.errors import UsageError

_STATES = ("finished", "succeeded", "failed", "cancelled", "queued", "running", "suspended", "delete", "condition=")

Timeout = Annotated[
    str | None,
    typer.Option("--timeout", metavar="DURATION", help="Maximum wait, such as 30s, 10m or 2h; then exit code 6."),
]


@o.connecting
def get(
    connect: o.Connect,
    names: o.Names = None,
    everywhere: o.Everywhere = False,
    selector: o.Selector = None,
    output: o.OutputOption = None,
) -> None:
    """Show jobs, those that need attention first: phase, progress, time left or taken, reason of a wait or failure."""
    from kubectl_recon.commands import listing
    from kubectl_recon.targets.selecting import Selection

    selection = Selection(names or (), selector, everywhere)
    raise typer.Exit(listing.run(connect(), selection, o.format_of(output)))


@o.connecting
def watch(
    connect: o.Connect,
    names: o.Names = None,
    everywhere: o.Everywhere = False,
    selector: o.Selector = None,
    every: o.All = False,
    timeout: Timeout = None,
    output: o.LinesOption = None,
) -> None:
    """Follow jobs live: progress bars, steps, time left, place in line, and Events.

    Ends when the named jobs have finished: exit code 0 if all succeeded, 3 if one failed, 4 if one was cancelled, 5 if
    one was deleted. Without names, follow all unfinished jobs until Ctrl-C.
    """
    from kubectl_recon.commands import watching
    from kubectl_recon.targets.selecting import Selection

    selection = Selection(names or (), selector, everywhere, every)
    connection = connect()
    raise typer.Exit(watching.run(connection, selection, o.seconds(timeout), o.format_of(output)))


@o.connecting
def wait(
    connect: o.Connect,
    names: o.Names = None,
    state: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="STATE",
            help="finished, succeeded, failed, cancelled, queued, running, suspended, delete, or "
            "condition=TYPE[=STATUS].",
            autocompletion=completion.among(*_STATES),
        ),
    ] = "finished",
    timeout: Timeout = None,
    everywhere: o.Everywhere = False,
    selector: o.Selector = None,
    every: o.All = False,
    output: o.ObjectsOption = None,
) -> None:
    """Wait until jobs finish or reach another state, or until they can no longer reach it.

    Exit code 0 if all reached it (with --for=finished: if all succeeded), 3 if one failed, 4 cancelled, 5 deleted, 6
    timed out.
    """
    from kubectl_recon.commands import waiting
    from kubectl_recon.targets.selecting import Selection

    selection = Selection(names or (), selector, everywhere, every)
    connection = connect()
    raise typer.Exit(waiting.run(connection, selection, state, o.seconds(timeout), o.format_of(output)))


@o.connecting
def why(connect: o.Connect, name: o.Name, output: o.DataOption = None) -> None:
    """Explain why a job does not run, failed or is slow, and what to do.

    Reads the job, its Events, and what the operator publishes for every user.
    """
    from kubectl_recon.commands import explaining

    raise typer.Exit(explaining.run(connect(), name, o.format_of(output)))


@o.connecting
def logs(
    connect: o.Connect,
    name: o.Name,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow until the job finishes.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print the original lines of pods (JSON).")] = False,
    output: Annotated[
        o.Wide | None, typer.Option("--output", "-o", help="Every line, with level, pod and traceback.")
    ] = None,
    gallery: o.GalleryUrl = None,
    account: o.Account = None,
) -> None:
    """Show what happened to one job: time, part and sentence, from the logs of every operator and worker pod that
    handled the job.

    Without the right to read the logs of these pods, the gallery reads them.
    """
    from kubectl_recon.commands import logs as command
    from kubectl_recon.gallery.reaching import named

    wide = command.Shown.SHORT if output is None else command.Shown.WIDE
    shown = command.Shown.RAW if raw else wide
    raise typer.Exit(command.run(connect(), name, named(gallery, account), follow=follow, shown=shown))


@o.connecting
def history(
    connect: o.Connect,
    everywhere: o.Everywhere = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DURATION", help="Only jobs that ended since then, such as 7d.")
    ] = None,
    totals: Annotated[
        bool, typer.Option("--totals", help="Jobs, run time and CPU time by namespace and month, for a bill.")
    ] = False,
    output: Annotated[
        o.Record | None, typer.Option("--output", "-o", help="Output format; csv has all jobs, a table the last 1,000.")
    ] = None,
    gallery: o.GalleryUrl = None,
    account: o.Account = None,
) -> None:
    """Show jobs that ended, also those that were deleted since: how they ended, how long they took, and of what size.

    The gallery keeps this for 90 days (GALLERY_HISTORY_SECONDS), and shows it to those who may see the namespace's
    jobs.
    """
    from datetime import timedelta

    from kubectl_recon.commands.gone import history as command
    from kubectl_recon.gallery.reaching import named

    if totals and output is o.Record.CSV:
        raise UsageError("-o csv has a line for each job: leave out --totals, or use -o json")
    seconds = o.seconds(since)
    command.show(
        connect(),
        named(gallery, account),
        since=None if seconds is None else timedelta(seconds=seconds),
        everywhere=everywhere,
        totals=totals,
        form="" if output is None else output.value,
    )
