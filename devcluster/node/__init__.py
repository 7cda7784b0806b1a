"""Node for a laptop and for `make e2e`: kubelet and containerd beside a control plane, in separate namespaces.

It needs root on Debian, and no Docker: the container runtime comes from Debian (`packages`), the node's programs are
built once from released Go modules (`programs/go/node`), and buildah builds images on a base that debootstrap makes
(`images`).
By hand: `python -m devcluster node start`.

    with Node() as node:
        node.load("localhost/reconstruction-operator:0.1.0")
        node.kubectl("get", "nodes")

- `node`: start, stop and use it
- `inside`: the first process of its namespaces, a separate program
- `configuration`: files and command lines of its servers
- `addresses`: each node of this machine has a number, from which its addresses follow
- `cgroups`: the only part outside its namespaces
- `packages`: Debian packages that it needs
- `images`, `bundles`: images, and one image as a container without a cluster
"""

from devcluster.node.node import Node

__all__ = ["Node"]
