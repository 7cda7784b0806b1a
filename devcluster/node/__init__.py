"""A real node for a laptop and for `make e2e`: kubelet and containerd beside a control plane, in separate namespaces.

Needs root on Linux, and no Docker: the container runtime comes from Debian (`packages`), the node's programs are built once from
released Go modules (`programs/go/node`), images are built by buildah on a base that debootstrap makes (`images`).
By hand: `python -m devcluster node start`.

    with Node() as node:
        node.load("localhost/reconstruction-operator:0.1.0")
        node.kubectl("get", "nodes")

Modules: `node` (start, stop, use), `inside` (the first process of its namespaces, a separate program), `configuration` and
`arguments` (files and command lines of the servers), `addresses`, `cgroups`, `images`, `packages`, `bundles`, `standing`.
"""

from devcluster.node.node import Node

__all__ = ["Node"]
