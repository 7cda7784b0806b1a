"""Commands that only read jobs: get, watch, wait, why, logs."""

from __future__ import annotations

from typing import Annotated

import typer

from kubectl_recon.cli import completion
from kubectl_recon.cli import options as o

_STATES = ("finished", "succeeded", "failed", "cancelled", "queued", "running", "suspended", "delete", "condition=")

Timeout = Annotated[
    str | None,
    typer.Option("--timeout", metavar="DURATION", help="Give up after this time: 30s, 10m, 2h. Exit code 6."),
]


@o.connecting
def get(
    connect: o.Connect,
    names: o.Names = None,
    everywhere: o.Everywhere = False,
    selector: o.Selector = None,
    output: o.OutputOption = None,
) -> None:
    """Show jobs, those that need attention first: phase, progress, time left or taken, why one waits or failed."""
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
    """Follow jobs live: bars, steps, time left, place in line, and Events as they come.

    Ends when the named jobs are over: exit code 0 if all succeeded, 3 if one failed, 4 if one was cancelled, 5 if one was
    deleted. Without names it shows every job that is not over, until Ctrl-C.
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
    wanted: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="STATE",
            help="finished, succeeded, failed, cancelled, queued, running, suspended, delete, or condition=TYPE[=STATUS].",
            autocompletion=completion.among(*_STATES),
        ),
    ] = "finished",
    timeout: Timeout = None,
    everywhere: o.Everywhere = False,
    selector: o.Selector = None,
    every: o.All = False,
    output: o.ObjectsOption = None,
) -> None:
    """Wait until jobs are over, or in another state. It also ends when they can no longer get there.

    Exit code 0 if all got there (with --for=finished: if all succeeded), 3 if one failed, 4 cancelled, 5 deleted, 6 timed out.
    """
    from kubectl_recon.commands import waiting
    from kubectl_recon.targets.selecting import Selection

    selection = Selection(names or (), selector, everywhere, every)
    connection = connect()
    raise typer.Exit(waiting.run(connection, selection, wanted, o.seconds(timeout), o.format_of(output)))


@o.connecting
def why(connect: o.Connect, name: o.Name, output: o.DataOption = None) -> None:
    """One answer to: why isn't it running, why did it fail, why is it slow. Ends with what to do.

    Made of the job, its Events, the jobs around it, and the operator's Lease and metrics, as far as your rights go.
    """
    from kubectl_recon.commands import explaining

    raise typer.Exit(explaining.run(connect(), name, o.format_of(output)))


@o.connecting
def logs(
    connect: o.Connect,
    name: o.Name,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow, until the job is over.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Lines as they were written (JSON).")] = False,
) -> None:
    """What operator and workers log about one job, whichever of them had it, in the order of time.

    Needs the right to read the logs of their pods. -f follows until the job is over.
    """
    from kubectl_recon.commands import logs as command

    raise typer.Exit(command.run(connect(), name, follow=follow, raw=raw))
