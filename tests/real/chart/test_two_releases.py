"""Two releases: the chart does not install a second operator for the same namespaces, unless `operator.refuseOverlap`
is false.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from devcluster.errors import CommandError
from tests.real.chart.release import Release

SECOND: dict[str, Any] = {"fullnameOverride": "second", "crds": {"enabled": False}, "rbac": {"aggregate": False}}


@pytest.fixture
def second(release: Release) -> Iterator[Release]:
    """A namespace for a second release, before the first one is installed."""
    namespace = f"{release.namespace}-second"
    release.cluster.api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    yield Release(release.cluster, namespace, "second")
    release.cluster.kubectl(
        "delete", "clusterroles,clusterrolebindings,flowschemas", "-l", "app.kubernetes.io/instance=second"
    )
    release.cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def watching(*namespaces: str) -> dict[str, Any]:
    return {"operator": {"watchNamespaces": namespaces}}


def test_a_second_operator_that_shares_a_namespace_is_rejected(release: Release, second: Release) -> None:
    release.install()
    with pytest.raises(CommandError) as refusal:
        second.install(**SECOND)
    installation = f"Deployment {release.namespace}/reconstruction-operator (namespace/name) is another installation"
    assert installation in str(refusal.value)
    assert "both would watch all namespaces" in str(refusal.value)
    assert second.objects() == set()

    release.install(**watching(release.namespace, second.namespace))
    with pytest.raises(CommandError, match=f"both would watch {second.namespace}"):
        second.install(**SECOND, **watching(second.namespace))


@pytest.mark.release
def test_operators_of_different_namespaces_coexist_and_others_if_they_may(release: Release, second: Release) -> None:
    release.install(**watching(release.namespace))
    second.install(**SECOND, **watching(second.namespace))
    assert "deployment.apps/second-operator" in second.objects()

    second.install(**SECOND, operator={"refuseOverlap": False})
    release.install(operator={"refuseOverlap": False, "replicas": 1})
