"""Manifests: `kubectl apply -k manifests/install` creates what the chart creates for the operator alone."""

import re
from typing import Any

import yaml

from devcluster import Cluster
from devcluster.programs.helm import helm
from tests.support.paths import CHART, CHECKOUT

NAMESPACE = "reconstruction-system"
HELMS = {"helm.sh/chart", "app.kubernetes.io/managed-by", "checksum/settings"}


def plain(node: Any) -> Any:
    """Return the objects without Helm's and kustomize's own labels, and without kustomize's hashes in names."""
    if isinstance(node, dict):
        cleaned = {key: plain(value) for key, value in node.items() if key not in HELMS}
        return {key: value for key, value in cleaned.items() if (key, value) != ("annotations", {})}
    if isinstance(node, list):
        return [plain(item) for item in node]
    if isinstance(node, str):
        return re.sub(r"^(reconstruction-(?:settings|redis))-[a-z0-9]{10}$", r"\1", node)
    return node


def by_name(text: str) -> dict[tuple[str, str], Any]:
    manifests = [plain(manifest) for manifest in yaml.safe_load_all(text) if manifest]
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in manifests}


def test_the_manifests_and_the_chart_create_the_same_objects(chart_cluster: Cluster) -> None:
    values = CHART / "ci" / "manifests-values.yaml"
    by_helm = by_name(helm("template", "reconstruction", CHART, "--namespace", NAMESPACE, "--values", values).stdout)
    by_kustomize = by_name(chart_cluster.kubectl("kustomize", CHECKOUT / "manifests" / "install").stdout)

    # kustomize creates the settings from a file, which has no labels.
    for objects in (by_helm, by_kustomize):
        del objects["ConfigMap", "reconstruction-settings"]["metadata"]["labels"]
    # Written by hand: the namespace, and the URLs of Redis, which the chart takes from a Secret of the user.
    assert by_kustomize.keys() - by_helm.keys() == {("Namespace", NAMESPACE), ("Secret", "reconstruction-redis")}
    assert {name: by_kustomize[name] for name in by_helm} == by_helm
