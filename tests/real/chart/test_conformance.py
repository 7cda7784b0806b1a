"""Conformance: the chart and manifests/ conform to the oldest and the newest release of Kubernetes."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.programs.conformance import KUBERNETES_NEWEST, KUBERNETES_OLDEST, violations
from devcluster.programs.go_modules import GoModule
from devcluster.programs.helm import helm
from devcluster.programs.toolchain import kubectl
from tests.support.paths import CHART, CHECKOUT

# The first test downloads two modules, once.
pytestmark = pytest.mark.timeout(900)

SHAPES = ["values.yaml", *sorted(f"ci/{path.name}" for path in (CHART / "ci").glob("*.yaml"))]
RELEASES = pytest.mark.parametrize(
    "release", [KUBERNETES_OLDEST, KUBERNETES_NEWEST], ids=lambda release: release.version
)


def deployment(**pod: Any) -> str:
    """Return a valid Deployment with these fields in its pods."""
    labels = {"app": "one"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "one", "image": "one"}]} | pod}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "one"}, "spec": spec})


@pytest.mark.parametrize(
    ("release", "values"),
    [
        pytest.param(
            release,
            values,
            id=f"{release.version}-{values}",
            # The releases differ in few keys, so `make test` checks every other shape against the newest one.
            marks=() if release is KUBERNETES_OLDEST or number % 2 == 0 else pytest.mark.release,
        )
        for release in (KUBERNETES_OLDEST, KUBERNETES_NEWEST)
        for number, values in enumerate(SHAPES)
    ],
)
def test_every_key_of_the_chart_is_valid(release: GoModule, values: str) -> None:
    options = ["--namespace", "recon", "--kube-version", release.version]
    manifests = helm("template", "reconstruction", CHART, "--values", CHART / values, *options).stdout

    assert violations(manifests, release) == []


@RELEASES
@pytest.mark.parametrize("folder", ["install", "complete"])
def test_every_key_of_the_manifests_is_valid(
    release: GoModule, folder: str, control_plane_programs: None, tmp_path: Path
) -> None:
    manifests_folder = shutil.copytree(CHECKOUT / "manifests", tmp_path / "manifests")
    subprocess.run(["sh", manifests_folder / "complete" / "passwords.sh"], check=True)
    command = [str(kubectl()), "kustomize", str(manifests_folder / folder)]
    manifests = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert violations(manifests, release) == []


def test_an_unknown_key_or_kind_and_a_key_of_a_newer_release_are_reported() -> None:
    pod = {"resources": {"limits": {"memory": "1Gi"}}}  # of a whole pod: since 1.32
    assert violations(deployment(**pod), KUBERNETES_NEWEST) == []

    (unknown,) = violations(deployment(nodeSelectors={}), KUBERNETES_NEWEST)
    (newer,) = violations(deployment(**pod), KUBERNETES_OLDEST)
    (kind,) = violations(deployment().replace("Deployment", "Deploymint"), KUBERNETES_OLDEST)

    assert "('nodeSelectors' was unexpected)" in unknown
    assert "('resources' was unexpected)" in newer
    assert kind == "Deploymint one: the release has no Deploymint in apps/v1"


def test_the_oldest_release_is_the_oldest_that_the_chart_accepts() -> None:
    accepted = yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]

    assert accepted.removeprefix(">=").split(".")[:2] == KUBERNETES_OLDEST.version.removeprefix("v").split(".")[:2]
