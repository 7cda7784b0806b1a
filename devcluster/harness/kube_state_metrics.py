"""kube-state-metrics for as long as a `with` block: the real program, with a custom-resource-state file and nothing else."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from devcluster.programs.building import KUBE_STATE_METRICS, built
from devcluster.servers.ports import free_ports
from devcluster.servers.processes import Process
from devcluster.servers.running import Running
from devcluster.servers.runs import RunFolder

_ANSWER_SECONDS = 30.0


class KubeStateMetrics(Running):
    """The program at work on the cluster of `kubeconfig`, with that file's rights."""

    def __init__(self, configuration: Path, *, kubeconfig: Path) -> None:
        self._configuration = configuration
        self._kubeconfig = kubeconfig

    def start(self) -> None:
        """Start it. The first series come a moment later."""
        program = built(KUBE_STATE_METRICS) / KUBE_STATE_METRICS.name
        self._run = RunFolder.new("kube-state-metrics")
        self._port, telemetry = free_ports(2)
        options = {
            "kubeconfig": self._kubeconfig,
            "custom-resource-state-config-file": self._configuration,
            "custom-resource-state-only": "true",
            "host": "127.0.0.1",
            "port": self._port,
            "telemetry-host": "127.0.0.1",
            "telemetry-port": telemetry,
        }
        command: list[str | Path] = [program, *(f"--{name}={value}" for name, value in options.items())]
        self._process = Process("kube-state-metrics", command, run=self._run)

    def stop(self) -> None:
        """End it, and remove its files."""
        self._process.stop()
        self._run.close()

    def log_end(self) -> str:
        """The end of its log."""
        return self._process.log_end()

    def samples(self) -> Iterator[Sample]:
        """Every series that it serves now; an OSError while it does not answer."""
        self._process.check()
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=_ANSWER_SECONDS) as answer:
            text = answer.read().decode()
        for family in text_string_to_metric_families(text):
            yield from family.samples
