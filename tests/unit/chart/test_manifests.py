"""manifests/install is what the chart makes of the operator alone."""

from __future__ import annotations

import runpy

import pytest
import yaml

from tests.support.paths import CHECKOUT

WRITER = runpy.run_path(str(CHECKOUT / "scripts" / "write_manifests.py"))


@pytest.fixture(scope="session")
def files() -> dict[str, str]:
    found: dict[str, str] = WRITER["files"]()
    return found


@pytest.mark.parametrize("name", [f"manifests/install/{name}" for name in WRITER["TEMPLATES"].values()])
def test_a_manifest_is_current(files: dict[str, str], name: str) -> None:
    assert (CHECKOUT / name).read_text() == files[name], "run `make manifests`"


def test_the_settings_are_current(files: dict[str, str]) -> None:
    name = "manifests/install/settings.env"

    assert (CHECKOUT / name).read_text() == files[name], "run `make manifests`"


def test_the_kustomization_takes_every_file_that_is_made() -> None:
    resources = yaml.safe_load((CHECKOUT / "manifests/install/kustomization.yaml").read_text())["resources"]

    assert set(resources) == {"namespace.yaml", *WRITER["TEMPLATES"].values()}


def test_nothing_in_them_says_that_helm_looks_after_it(files: dict[str, str]) -> None:
    assert not any("helm" in line.lower() for text in files.values() for line in text.splitlines())
