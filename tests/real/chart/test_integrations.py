"""Integrations: the chart's resources of the Prometheus operator and KEDA, on an API server with their CRDs."""

from collections.abc import Iterator
from typing import Any

import pytest

from devcluster import Cluster
from devcluster.programs.conformance import KEDA_CRDS, MONITORING_CRDS
from tests.real.chart.release import Release
from tests.support.chart import GPU

pytestmark = pytest.mark.timeout(600)

ON: dict[str, Any] = {
    "metrics": {
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "podMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboards": {"enabled": True},
    },
    "keda": {"prometheusAddress": "http://prometheus.monitoring.svc:9090", "authenticationRef": "prometheus"},
    "workers": {
        "cpu": {"autoscaling": {"enabled": True}},
        "gpu": GPU["gpu"] | {"autoscaling": {"enabled": True, "minReplicas": 1}},
    },
}


@pytest.fixture(scope="module")
def theirs(chart_cluster: Cluster) -> Iterator[None]:
    """The CRDs of both projects, as released."""
    files = [*MONITORING_CRDS.files(), *KEDA_CRDS.files()]
    for file in files:
        chart_cluster.kubectl("apply", "--server-side", "-f", file)
    names = [f"-f{file}" for file in files]
    chart_cluster.kubectl("wait", "--for=condition=Established", *names)
    yield
    chart_cluster.kubectl("delete", *names)


def strictly(release: Release, manifest: str, *, check: bool = True) -> str:
    """Send a server-side dry run with strict validation of every key, and return the output."""
    own = "\n---".join(text for text in manifest.split("\n---") if "kube-public" not in text)
    options = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict"]
    done = release.cluster.kubectl("-n", release.namespace, *options, "-f", "-", input=own, check=check)
    return str(done.stdout + done.stderr)


def test_every_integration_is_installed_with_valid_keys_and_uninstalled(release: Release, theirs: None) -> None:
    def integrations(kinds: str) -> list[str]:
        selector = f"app.kubernetes.io/instance={release.name}"
        return sorted(release.kubectl("get", kinds, "-l", selector, "-o", "name").split())

    kinds = "servicemonitors,podmonitors,prometheusrules,scaledobjects"
    release.install(**ON)
    assert integrations(kinds) == [
        "podmonitor.monitoring.coreos.com/reconstruction-workers",
        "prometheusrule.monitoring.coreos.com/reconstruction-operator",
        "scaledobject.keda.sh/reconstruction-worker-cpu",
        "scaledobject.keda.sh/reconstruction-worker-gpu",
        "servicemonitor.monitoring.coreos.com/reconstruction-operator",
    ]

    manifest = release.manifest()
    assert "scaledobject.keda.sh/reconstruction-worker-gpu serverside-applied" in strictly(release, manifest)
    wrong = manifest.replace("interval: 30s", "intervall: 30s")
    assert "intervall" in strictly(release, wrong, check=False)

    release.helm("uninstall")
    assert integrations(f"{kinds},configmaps") == []
