"""Commands of `python -m devcluster`.

Lines for a shell's `eval` go to standard output, all other lines to standard error:
`eval "$(python -m devcluster start --detach)"`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from devcluster.errors import DevclusterError
from devcluster.node import images
from devcluster.node.node import load
from devcluster.programs.building import CONTROLLERS, VERSITYGW, GoProgram, built
from devcluster.programs.toolchain import kubectl
from devcluster.standing import CLUSTER, NODE, Description, Standing

if TYPE_CHECKING:
    from argparse import _SubParsersAction  # generic for type checkers alone

_EXIT_FAILED = 1
_EXIT_NOT_RUNNING = 3  # of a status command, by the Linux Standard Base
_EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except DevclusterError as error:
        _print(f"devcluster: {error}")
        return _EXIT_FAILED
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    return status


def _start(options: argparse.Namespace) -> int:
    standing: Standing = options.standing
    description = standing.find()
    if description is not None:
        _print("already running")
    elif options.detach:
        description = standing.detach()
    else:
        standing.hold()
    return _describe(description)


def _stop(options: argparse.Namespace) -> int:
    for line in options.standing.end() or ["nothing was running"]:
        _print(line)
    return 0


def _status(options: argparse.Namespace) -> int:
    description = options.standing.find()
    if description is None:
        _print("not running")
        return _EXIT_NOT_RUNNING
    return _describe(description)


def _load(options: argparse.Namespace) -> int:
    description = NODE.find()
    if description is None:
        _print("not running: python -m devcluster node start --detach")
        return _EXIT_NOT_RUNNING
    for tag in options.tags:
        load(description.inside_pid, tag)
        _print(f"loaded {tag}")
    return 0


def _images(options: argparse.Namespace) -> int:
    for target in options.targets:
        print(images.build_image(images.TARGETS[target], target=target), flush=True)
    return 0


def _build(options: argparse.Namespace) -> int:
    if options.program:
        print(built(GoProgram(options.program, package="tool")))
        return 0
    for program in (kubectl().parent, built(), built(CONTROLLERS), built(VERSITYGW)):
        print(program)
    return 0


def _describe(description: Description) -> int:
    _print(f"{description.text}; process {description.pid}\nkubectl: {description.kubectl}")
    print(description.shell())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devcluster", description="A real control plane on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_standing(commands, CLUSTER)
    build = commands.add_parser("build", help="build the programs if they are not built yet, and print their folders")
    build.add_argument(
        "program",
        nargs="?",
        help="the tool of this module in programs/go (default: the control plane, its controllers and an S3 server)",
    )
    build.set_defaults(run=_build)
    node = commands.add_parser("node", help="a control plane with a node that runs pods (root, Debian)")
    actions = node.add_subparsers(required=True, metavar="ACTION")
    _add_standing(actions, NODE)
    loading = actions.add_parser("load", help="copy images from buildah's store to the node")
    loading.add_argument("tags", nargs="+", metavar="IMAGE")
    loading.set_defaults(run=_load)
    building = commands.add_parser(
        "images", help="build images of this project's Dockerfile without Docker (root, Debian)"
    )
    targets = sorted(images.TARGETS)
    building.add_argument("targets", nargs="+", choices=targets, metavar="TARGET", help=", ".join(targets))
    building.set_defaults(run=_images)
    return parser


def _add_standing(commands: _SubParsersAction[argparse.ArgumentParser], standing: Standing) -> None:
    start = commands.add_parser("start", help=f"start the {standing.name}, and hold it until Ctrl-C")
    start.add_argument("--detach", action="store_true", help="leave it running in the background")
    start.set_defaults(run=_start, standing=standing)
    stop = commands.add_parser("stop", help="stop the servers in the background, and clean up after killed launchers")
    stop.set_defaults(run=_stop, standing=standing)
    status = commands.add_parser("status", help="print whether it runs, and the settings for its clients")
    status.set_defaults(run=_status, standing=standing)


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
