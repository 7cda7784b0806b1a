"""Commands about the installation: workers, models, doctor."""

from __future__ import annotations

import typer

from kubectl_recon.cli import options as o


@o.connecting
def workers(connect: o.Connect, output: o.DataOption = None) -> None:
    """Show queues, their live workers, and which of them run jobs that you may see."""
    from kubectl_recon.commands.installation import workers as command

    raise typer.Exit(command.workers(connect(), o.format_of(output)))


@o.connecting
def models(connect: o.Connect, output: o.DataOption = None) -> None:
    """Show the models of live workers and of jobs: versions, parameters, queues, and the outcomes of the jobs."""
    from kubectl_recon.commands.installation import workers as command

    raise typer.Exit(command.models(connect(), o.format_of(output)))


@o.connecting
def doctor(connect: o.Connect, output: o.DataOption = None) -> None:
    """Check the health of the installation: CRD, rights, operator, clocks, Redis, loop, workers, a second installation,
    versions.

    The check is read-only, and needs no further right. Exit code 1 if a check is bad.
    """
    from kubectl_recon.commands.installation import doctor as command

    raise typer.Exit(command.run(connect(), o.format_of(output)))
