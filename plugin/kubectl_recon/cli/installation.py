"""Commands about the installation: workers, models, doctor, version."""

from __future__ import annotations

from typing import Annotated

import typer

from kubectl_recon.cli import options as o

Client = Annotated[bool, typer.Option("--client", help="This program's version alone: asks no cluster.")]


@o.connecting
def workers(connect: o.Connect, output: o.DataOption = None) -> None:
    """Queues, their live workers, and what each worker runs.

    Live workers are counted by the operator's metrics, which the API server's proxy gives to users who may get pods/proxy in
    its namespace. Others see the workers that have one of their jobs.
    """
    from kubectl_recon.commands.installation import workers as command

    raise typer.Exit(command.workers(connect(), o.format_of(output)))


@o.connecting
def models(connect: o.Connect, output: o.DataOption = None) -> None:
    """Models that jobs name, how these jobs went, and models that workers lack."""
    from kubectl_recon.commands.installation import workers as command

    raise typer.Exit(command.models(connect(), o.format_of(output)))


@o.connecting
def doctor(connect: o.Connect, output: o.DataOption = None) -> None:
    """Is the installation well? CRD, rights, operator, clocks, Redis, workers, write lag, a second installation.

    Only reads, and names what you may not see. Exit code 1 if something is bad.
    """
    from kubectl_recon.commands.installation import doctor as command

    raise typer.Exit(command.run(connect(), o.format_of(output)))


@o.connecting
def version(connect: o.Connect, client: Client = False, output: o.DataOption = None) -> None:
    """Versions of this program, the operator, the CRD and Kubernetes. Exit code 1 if they do not fit together."""
    from kubectl_recon import __version__
    from kubectl_recon.commands.installation import versions

    if client:
        typer.echo(f"kubectl-recon  {__version__}")
        raise typer.Exit
    raise typer.Exit(versions.run(connect(), o.format_of(output)))
