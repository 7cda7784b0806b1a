"""The commands of `python -m devcluster`.

What a shell can evaluate goes to standard output, and all else to standard error:
`eval "$(python -m devcluster start --detach)"`.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from devcluster import standing
from devcluster.errors import DevclusterError
from devcluster.node import cli as node_commands
from devcluster.programs.control_plane import programs

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXIT_FAILED = 1
_EXIT_NOT_RUNNING = 3  # what a status command says by the Linux Standard Base


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except DevclusterError as error:
        _tell(f"devcluster: {error}")
        return _EXIT_FAILED
    except KeyboardInterrupt:
        return 130
    return status


def _start(options: argparse.Namespace) -> int:
    found = standing.find()
    if found is not None:
        _tell(f"it runs already, process {found.pid}")
    elif options.detach:
        found = standing.detach()
        _tell(f"a control plane and a Redis run in the background, process {found.pid}")
    else:
        standing.hold()
    _tell(f"kubectl: {found.kubectl}")
    print(found.exports())
    return 0


def _stop(_options: argparse.Namespace) -> int:
    for line in standing.end() or ["nothing was running"]:
        _tell(line)
    return 0


def _status(_options: argparse.Namespace) -> int:
    found = standing.find()
    if found is None:
        _tell("not running")
        return _EXIT_NOT_RUNNING
    _tell(f"running, process {found.pid}\nkubectl: {found.kubectl}")
    print(found.exports())
    return 0


def _build(_options: argparse.Namespace) -> int:
    print(programs().apiserver.parent)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devcluster", description="A real control plane on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    start = commands.add_parser("start", help="start a control plane and a Redis, and hold them until Ctrl-C")
    start.add_argument("--detach", action="store_true", help="leave them running in the background")
    start.set_defaults(run=_start)
    stop = commands.add_parser("stop", help="stop what runs in the background, and clean up after killed launchers")
    stop.set_defaults(run=_stop)
    status = commands.add_parser("status", help="say whether it runs, and the settings to use it with")
    status.set_defaults(run=_status)
    build = commands.add_parser("build", help="build the programs where that has not been done, and say where they are")
    build.set_defaults(run=_build)
    node_commands.add_commands(commands)
    return parser


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
