"""Standing node: the one that a user leaves running by `python -m devcluster node start --detach`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from devcluster.node import images
from devcluster.node.node import Node
from devcluster.node.numbers import sweep
from devcluster.node.packages import NODE_NEEDS, ensure
from devcluster.programs import building
from devcluster.programs.building import built
from devcluster.standing import Description, Standing


def _prepare() -> None:
    ensure(NODE_NEEDS)
    built()
    built(building.NODE)
    images.pause_image()


@contextmanager
def _serve() -> Iterator[tuple[Description, Callable[[], None]]]:
    with Node() as node:
        text = f"a node at {node.addresses.node}, logs in {node.folder}/var/log"
        exports = {"KUBECONFIG": str(node.kubeconfig)}
        yield Description(text, str(node.kubectl_program), str(node.folder), exports, node.pid), node.check


NODE = Standing(
    name="node",
    file_name="standing-node",
    command=("node", "start"),
    prepare=_prepare,
    serve=_serve,
    sweep=sweep,
    start_seconds=600.0,
    stop_seconds=180.0,  # gigabytes of unpacked images are removed
)
