"""A real control plane and a real Redis for a laptop, the tests and the demo.

etcd, kube-apiserver, kube-controller-manager and kubectl are built once from released Go modules (`main.go` beside
this file) and run as plain processes on loopback ports: no Docker, no root. By hand: `python -m devcluster start`.

    with devcluster.Cluster() as cluster, devcluster.Redis() as redis:
        cluster.kubectl("get", "namespaces")
        redis.url(db=1)

Rooms, from the outside in: `cli`, `standing` (the one cluster that is left running by hand); `cluster`, `redis_server`;
`arguments`, `certificates`, `kubeconfigs`, `api` (what a server is started with, and asked); `processes`, `guard`, `runs`
(a server's life, and what ends it when its launcher is gone); `programs`, `building`, `toolchain`, `wheels`, `helm` (where the
programs come from).

A development tool: nothing in the operator or the worker imports it, and no image holds it.
"""

from devcluster.cluster import Cluster
from devcluster.errors import (
    BuildError,
    CommandError,
    DevclusterError,
    MissingToolError,
    NotReadyError,
    RefusedError,
    ServerEndedError,
)
from devcluster.redis_server import Redis
from devcluster.waiting import wait_until

__all__ = [
    "BuildError",
    "Cluster",
    "CommandError",
    "DevclusterError",
    "MissingToolError",
    "NotReadyError",
    "Redis",
    "RefusedError",
    "ServerEndedError",
    "wait_until",
]
