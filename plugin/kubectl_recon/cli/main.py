"""Entry point of `kubectl recon`: the commands, and their exit codes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from reconstruction_operator.transfer.names import printable

from kubectl_recon import __version__
from kubectl_recon.cli.loading import Commands
from kubectl_recon.errors import ReconError

_INTERRUPTED: Final = 128 + signal.SIGINT
_PROGRAM: Final = "kubectl recon"

app = typer.Typer(
    name=_PROGRAM,
    help="3D reconstructions on Kubernetes: submit photos, watch, explain, cancel, fetch results.",
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,  # cli.completion has it
    rich_markup_mode=None,  # plain help as in kubectl; rich also loads too slowly for --help
    pretty_exceptions_enable=False,
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"kubectl-recon {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print this program's version.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 success, 1 failure, 2 usage error. `submit`, `watch` and `wait` have more codes, see
    their help.
    """
    try:
        app(args=arguments, prog_name="recon" if Path(sys.argv[0]).name == "recon" else _PROGRAM)
    except ReconError as error:
        lines = map(printable, str(error).split("\n"))  # a server's text may have control characters
        print("error:", "\n".join(lines), file=sys.stderr)  # noqa: T201  # the program's last message
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:  # as by `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
