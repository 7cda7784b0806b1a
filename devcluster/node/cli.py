"""The commands of `python -m devcluster node`, and of `python -m devcluster images`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from devcluster.node import images, standing
from devcluster.node.node import load

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_EXIT_NOT_RUNNING = 3  # what a status command says by the Linux Standard Base


def add_commands(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `node` and `images` to the commands of devcluster."""
    node = commands.add_parser("node", help="a control plane with a node that runs pods (root, Debian)")
    actions = node.add_subparsers(required=True, metavar="ACTION")
    start = actions.add_parser("start", help="start it, and hold it until Ctrl-C")
    start.add_argument("--detach", action="store_true", help="leave it running in the background")
    start.set_defaults(run=_start)
    actions.add_parser("stop", help="stop what runs in the background, and remove what killed ones left").set_defaults(
        run=_stop
    )
    actions.add_parser("status", help="say whether it runs, and the settings to use it with").set_defaults(run=_status)
    loading = actions.add_parser("load", help="copy images from buildah's store to it")
    loading.add_argument("tags", nargs="+", metavar="IMAGE")
    loading.set_defaults(run=_load)
    building = commands.add_parser(
        "images", help="build images of this project's Dockerfile without Docker (root, Debian)"
    )
    building.add_argument(
        "targets", nargs="+", choices=sorted(images.TARGETS), metavar="TARGET", help=", ".join(sorted(images.TARGETS))
    )
    building.set_defaults(run=_images)


def _start(options: argparse.Namespace) -> int:
    found = standing.find()
    if found is not None:
        _tell(f"it runs already, process {found.pid}")
    elif options.detach:
        found = standing.detach()
    else:
        standing.hold()
    return _describe(found)


def _stop(_options: argparse.Namespace) -> int:
    for line in standing.end() or ["nothing was running"]:
        _tell(line)
    return 0


def _status(_options: argparse.Namespace) -> int:
    found = standing.find()
    if found is None:
        _tell("not running")
        return _EXIT_NOT_RUNNING
    return _describe(found)


def _load(options: argparse.Namespace) -> int:
    found = standing.find()
    if found is None:
        _tell("not running: python -m devcluster node start --detach")
        return _EXIT_NOT_RUNNING
    for tag in options.tags:
        load(found.inside_pid, tag)
        _tell(f"loaded {tag}")
    return 0


def _images(options: argparse.Namespace) -> int:
    for target in options.targets:
        print(images.build_image(images.TARGETS[target], target=target), flush=True)
    return 0


def _describe(found: standing.StandingNode) -> int:
    _tell(f"a node at {found.address}, process {found.pid}; logs: {found.folder}/var/log\nkubectl: {found.kubectl}")
    print(found.exports())
    return 0


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
