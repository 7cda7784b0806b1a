"""Fake nodes for as long as a `with` block: the real kube-scheduler, and KWOK in place of kubelets.

KWOK answers for the nodes: each pod that is bound to a node runs at once and, if a Job owns it, succeeds at once. So a
Job costs what Kubernetes spends on it, and no work. Nothing limits the rate of the scheduler's requests.
"""

from __future__ import annotations

import functools
from typing import Final

from devcluster.programs.building import KWOK, NODE, built
from devcluster.programs.go_modules import GoModule
from devcluster.servers.arguments import flags
from devcluster.servers.cluster import Cluster
from devcluster.servers.running import Running
from devcluster.waiting import wait_until

CONTROLLERS: Final = ("job-controller",)
"""For `Cluster(controllers=…)`, so that there are Jobs."""

_NODES: Final = "/api/v1/nodes"
_READY_SECONDS: Final = 120.0
_REQUESTS_PER_SECOND: Final = 10_000  # no limit
_STAGES: Final = GoModule(
    "sigs.k8s.io/kwok",
    "v0.8.0",
    "h1:OTIOTwgROqPMovcTwxICx2eYQ4AwLpSx5EpjbDKF4SQ=",
    (
        "kustomize/stage/node/fast/node-initialize.yaml",
        "kustomize/stage/pod/fast/pod-ready.yaml",
        "kustomize/stage/pod/fast/pod-complete.yaml",
        "kustomize/stage/pod/fast/pod-delete.yaml",
    ),
)


class FakeNodes(Running):
    """`count` nodes of a cluster, each with room for any number of pods."""

    name = "fake-nodes"

    def __init__(self, cluster: Cluster, count: int = 10) -> None:
        self._cluster = cluster
        self._names = [f"fake-{number}" for number in range(count)]

    def _start(self) -> None:
        stages = self.folder / "stages.yaml"
        stages.write_text("\n---\n".join(file.read_text() for file in _STAGES.files()))
        kubeconfig = self._cluster.kubeconfig
        scheduler = {
            "kubeconfig": kubeconfig,
            "leader-elect": "false",
            "secure-port": 0,
            "kube-api-qps": _REQUESTS_PER_SECOND,
            "kube-api-burst": _REQUESTS_PER_SECOND,
        }
        kwok = {
            "kubeconfig": kubeconfig,
            "config": stages,
            "manage-all-nodes": "true",
            "node-lease-duration-seconds": 40,
        }
        self._launch("kube-scheduler", [self._cluster.program(NODE) / "kube-scheduler", *flags(scheduler)])
        self._launch("kwok", [built(KWOK) / "kwok", *flags(kwok)])
        for name in self._names:
            self._cluster.api.post(_NODES, {"metadata": {"name": name}})
        for name in self._names:
            ready = functools.partial(self._is_ready, name)
            wait_until(ready, f"node {name}", timeout_seconds=_READY_SECONDS, seen=self.log_ends)
            # The API server taints a new node; the controller that removes the taint does not run here.
            self._cluster.api.patch(f"{_NODES}/{name}", {"spec": {"taints": []}})

    def _is_ready(self, name: str) -> bool:
        self.check()
        conditions = self._cluster.api.get(f"{_NODES}/{name}").get("status", {}).get("conditions", [])
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
