"""Archives: an image as a release has it, with its SBOM."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from scripts.checks import versions
from scripts.release import images
from tests.support.paths import CHECKOUT

VERSION = versions.program_version(CHECKOUT)
EPOCH = 1_790_000_000
DATE = "2026-09-21T14:13:20Z"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of the smallest image."""
    folder = tmp_path_factory.mktemp("dist")
    archive = images.archive(folder, "worker-base", "amd64", version=VERSION, revision="1234abc", epoch=EPOCH)
    return {path.name: path for path in archive}


@pytest.fixture(scope="module")
def manifest(files: dict[str, Path]) -> dict[str, Any]:
    """The archive's manifest with its configuration."""
    with tarfile.open(files[f"reconstruction-worker-base-{VERSION}-linux-amd64.tar.gz"]) as archive:

        def read(name: str) -> Any:
            member = archive.extractfile(name)
            assert member is not None
            return json.load(member)

        (image,) = read("manifest.json")
        return {**image, "configuration": read(image["Config"])}


def test_docker_load_gives_the_image_the_name_that_the_chart_uses(manifest: dict[str, Any]) -> None:
    # Docker's full form of reconstruction-worker-base:VERSION.
    assert f"docker.io/library/reconstruction-worker-base:{VERSION}" in manifest["RepoTags"]


def test_the_image_names_its_commit_and_keeps_its_health_check(manifest: dict[str, Any]) -> None:
    configuration = manifest["configuration"]
    assert configuration["created"] == DATE
    assert configuration["architecture"] == "amd64"
    assert configuration["config"]["Labels"]["org.opencontainers.image.revision"] == "1234abc"
    assert configuration["config"]["Healthcheck"]["Test"][:2] == ["CMD", "python"]


def test_the_sbom_has_the_packages_of_python_and_of_debian(files: dict[str, Path]) -> None:
    bom = json.loads(files[f"reconstruction-worker-base-{VERSION}-linux-amd64.cdx.json"].read_text())
    kinds = {part["name"]: part["purl"].split("/")[0] for part in bom["components"]}
    assert (kinds["celery"], kinds["libc6"]) == ("pkg:pypi", "pkg:deb")
    assert not {"kopf", "pycolmap", "reconstruction-operator"} & kinds.keys()
