"""Two releases: the chart does not install a second operator for the same namespaces, unless `operator.refuseOverlap` is false."""

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
    release.cluster.kubectl("delete", "namespace", namespace)


def test_a_second_operator_for_the_same_namespaces_is_rejected(release: Release, second: Release) -> None:
    release.install()

    with pytest.raises(CommandError) as refusal:
        second.install(**SECOND)

    found = f"Deployment {release.namespace}/reconstruction-operator (namespace/name) is another installation"
    assert found in str(refusal.value)
    assert "both would watch all namespaces" in str(refusal.value)
    assert second.objects() == set()


def test_a_release_may_be_upgraded_and_a_second_one_allowed(release: Release, second: Release) -> None:
    release.install()

    second.install(**SECOND, operator={"refuseOverlap": False})
    release.install(operator={"refuseOverlap": False, "replicas": 1})

    assert "deployment.apps/second-operator" in second.objects()


def test_operators_of_different_namespaces_coexist(release: Release, second: Release) -> None:
    release.install(operator={"watchNamespaces": [release.namespace]})

    second.install(**SECOND, operator={"watchNamespaces": [second.namespace]})

    assert "deployment.apps/second-operator" in second.objects()


def test_operators_that_share_a_namespace_are_rejected(release: Release, second: Release) -> None:
    release.install(operator={"watchNamespaces": [release.namespace, second.namespace]})

    with pytest.raises(CommandError, match=f"both would watch {second.namespace}"):
        second.install(**SECOND, operator={"watchNamespaces": [second.namespace]})
