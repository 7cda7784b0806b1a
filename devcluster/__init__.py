"""Development cluster: a real control plane and a real Redis for a laptop, the tests and the demo.

etcd, kube-apiserver and the controllers are built once from released Go modules, and run as plain processes
on loopback ports: no Docker, no root. By hand: `python -m devcluster start`.

    with devcluster.Cluster() as cluster, devcluster.Redis() as redis:
        cluster.kubectl("get", "namespaces")
        redis.url(db=1)

- `servers`: the control plane, Redis and object storage as processes that never outlive their launcher
- `programs`: where each program comes from (built from Go modules, unpacked from wheels, npm or Debian packages)
- `harness`: the product on a cluster, and the programs through which its users see it
- `node`: a real node, with kubelet and containerd
- `cli`, `standing`: the one cluster and the one node that are left running by hand
- `commands`, `errors`, `files`, `interrupts`, `mounts`, `waiting`: what all of these use

A development tool: neither the operator nor the worker imports it, and no image contains it.
"""

from devcluster.errors import ApiError, CommandError, DevclusterError, ServerEndedError
from devcluster.servers.cluster import Cluster
from devcluster.servers.redis import Redis
from devcluster.waiting import wait_until

__all__ = ["ApiError", "Cluster", "CommandError", "DevclusterError", "Redis", "ServerEndedError", "wait_until"]
