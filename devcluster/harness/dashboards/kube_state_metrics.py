"""kube-state-metrics for as long as a `with` block: the real program, with nothing but a custom-resource-state file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from devcluster.programs.building import KUBE_STATE_METRICS, built
from devcluster.servers.ports import free_ports
from devcluster.servers.server import HttpServer


class KubeStateMetrics(HttpServer):
    """The program on the cluster of `kubeconfig`, as the user of that file.

    The first series come a moment after its start.
    """

    name = KUBE_STATE_METRICS.name

    def __init__(self, configuration: Path, *, kubeconfig: Path) -> None:
        self._configuration = configuration
        self._kubeconfig = kubeconfig

    def _command(self) -> Sequence[str | Path]:
        options = {
            "kubeconfig": self._kubeconfig,
            "custom-resource-state-config-file": self._configuration,
            "custom-resource-state-only": "true",
            "host": self.host,
            "port": self.port,
            "telemetry-host": self.host,
            "telemetry-port": free_ports(1)[0],
        }
        return [built(KUBE_STATE_METRICS) / self.name, *(f"--{name}={value}" for name, value in options.items())]

    def samples(self) -> Iterator[Sample]:
        """Return every current series. Raise an OSError while it does not answer."""
        self.check()
        _, text = self.read("/metrics")
        for family in text_string_to_metric_families(text):
            yield from family.samples
