"""Lazy loading of commands: a call imports only the command that it runs. The program's help needs only names and
summaries.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

_COMMANDS: Final = {
    "get": ("reading", "Show jobs, those that need attention first."),
    "list": ("reading", "Alias of get."),
    "watch": ("reading", "Follow jobs live until they finish."),
    "wait": ("reading", "Wait until jobs finish or reach another state."),
    "why": ("reading", "Explain why a job waits, failed or is slow, and what to do."),
    "history": ("reading", "Show jobs that ended, also deleted ones, and what they used."),
    "logs": ("reading", "Show the log lines about one job."),
    "submit": ("transferring", "Check photos, upload them, and create a job."),
    "results": ("transferring", "Download the result of a job."),
    "open": ("meshes", "Show a mesh in the browser."),
    "preview": ("meshes", "Show pictures of a mesh in the terminal."),
    "run": ("meshes", "Reconstruct on this machine, without a cluster."),
    "cancel": ("changing", "Cancel jobs in two steps."),
    "suspend": ("changing", "Suspend jobs."),
    "resume": ("changing", "Resume suspended jobs."),
    "add": ("changing", "Run a finished job again with more photos."),
    "retry": ("changing", "Run a finished job again under a new name."),
    "restore": ("changing", "Restore the result of a deleted job."),
    "workers": ("installation", "Show queues, live workers, and what they run."),
    "models": ("installation", "Show models, and the outcomes of their jobs."),
    "doctor": ("installation", "Check the health of the installation."),
}
_FUNCTIONS: Final = {"list": "get", "open": "open_"}  # other functions have the name of their command
_HIDDEN: Final = ("list",)


class Commands(TyperGroup):
    """The program's commands, each with its summary until it is chosen."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {
            name: TyperCommand(name, short_help=summary, hidden=name in _HIDDEN)
            for name, (_, summary) in _COMMANDS.items()
        }

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, TyperCommand | None, list[str]]:
        """Import the chosen command."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else _loaded(name), rest


def _loaded(name: str) -> TyperCommand:
    module = import_module(f"kubectl_recon.cli.{_COMMANDS[name][0]}")
    program = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    program.command(name)(getattr(module, _FUNCTIONS.get(name, name)))
    command = get_command(program)
    assert isinstance(command, TyperCommand)  # noqa: S101  # for mypy: a program with one command is not a group
    return command
