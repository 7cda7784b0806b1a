"""manifests/install, generated from the chart."""

from __future__ import annotations

import yaml

from scripts.generate import manifests
from tests.support.paths import CHECKOUT


def test_the_kustomization_lists_every_generated_file() -> None:
    resources = yaml.safe_load((CHECKOUT / "manifests/install/kustomization.yaml").read_text())["resources"]

    assert set(resources) == {"namespace.yaml", *manifests.TEMPLATES.values()}


def test_no_generated_file_claims_to_be_managed_by_helm() -> None:
    assert not any("helm" in line.lower() for text in manifests.files().values() for line in text.splitlines())
