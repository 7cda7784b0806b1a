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
    options = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict"]
    done = release.cluster.kubectl("-n", release.namespace, *options, "-f", "-", input=manifest, check=check)
    return str(done.stdout + done.stderr)


def test_the_chart_installs_with_every_integration_on(release: Release, theirs: None) -> None:
    assert "STATUS: deployed" in release.install(**ON)

    kinds = "servicemonitors,podmonitors,prometheusrules,scaledobjects"
    assert set(release.kubectl("get", kinds, "-o", "name").split()) == {
        "servicemonitor.monitoring.coreos.com/reconstruction-operator",
        "podmonitor.monitoring.coreos.com/reconstruction-workers",
        "prometheusrule.monitoring.coreos.com/reconstruction-operator",
        "scaledobject.keda.sh/reconstruction-worker-cpu",
        "scaledobject.keda.sh/reconstruction-worker-gpu",
    }


def test_every_key_of_the_integrations_is_valid(release: Release, theirs: None) -> None:
    release.install(**ON)
    manifest = release.manifest()

    assert "scaledobject.keda.sh/reconstruction-worker-gpu serverside-applied" in strictly(release, manifest)
    wrong = manifest.replace("interval: 30s", "intervall: 30s")
    assert "intervall" in strictly(release, wrong, check=False)


def test_an_uninstall_deletes_the_integrations(release: Release, theirs: None) -> None:
    release.install(**ON)

    release.helm("uninstall")

    kinds = "servicemonitors,podmonitors,prometheusrules,scaledobjects,configmaps"
    selector = f"app.kubernetes.io/instance={release.name}"
    assert release.kubectl("get", kinds, "-l", selector, "-o", "name") == ""
