"""Packages of a release: complete and reproducible."""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from devcluster.programs.helm import helm
from scripts.checks import versions
from scripts.release import packages
from tests.support.paths import CHECKOUT

EPOCH = 1_790_000_000


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, bytes]]:
    """Wheels, source archive and chart, built twice."""
    folders = [tmp_path_factory.mktemp("dist") for _ in range(2)]
    for folder in folders:
        packages.build_python(folder, EPOCH)
        packages.build_chart(folder, EPOCH)
    return [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]


def test_a_release_has_wheel_source_and_chart(built: list[dict[str, bytes]]) -> None:
    chart, program = versions.chart_versions(CHECKOUT)
    assert set(built[0]) == {
        f"reconstruction_operator-{program}-py3-none-any.whl",
        f"reconstruction_operator-{program}.tar.gz",
        f"kubectl_recon-{program}-py3-none-any.whl",
        f"kubectl_recon-{program}.tar.gz",
        f"reconstruction_gallery-{program}-py3-none-any.whl",
        f"reconstruction_gallery-{program}.tar.gz",
        f"reconstruction-operator-{chart}.tgz",
    }


def test_two_builds_of_one_commit_are_identical(built: list[dict[str, bytes]]) -> None:
    assert built[0] == built[1]


def test_the_wheel_has_scripts_and_types(built: list[dict[str, bytes]]) -> None:
    (wheel,) = [content for name, content in built[0].items() if re.match(r"reconstruction_operator.*\.whl", name)]
    names = zipfile.ZipFile(io.BytesIO(wheel)).namelist()
    assert {"reconstruction_operator/py.typed", "reconstruction_operator/state/lua/claim.lua"} <= set(names)


def test_the_plugins_wheel_has_the_programs_that_kubectl_needs(built: list[dict[str, bytes]]) -> None:
    (wheel,) = [content for name, content in built[0].items() if re.match(r"kubectl_recon.*\.whl", name)]
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        (entries,) = [archive.read(name).decode() for name in archive.namelist() if name.endswith("entry_points.txt")]
        assert {name.partition("/")[0] for name in archive.namelist()} == {
            "kubectl_recon",
            f"kubectl_recon-{versions.program_version(CHECKOUT)}.dist-info",
        }
        viewer = "kubectl_recon/pages/viewer/model-viewer"
        assert {f"{viewer}.min.js.gz", f"{viewer}.LICENSE"} <= set(archive.namelist())
    programs = [line.split()[0] for line in entries.splitlines()[1:]]
    assert programs == ["kubectl-recon", "kubectl_complete-recon", "recon"]


def test_the_gallerys_wheel_has_its_page_and_the_licence_of_the_viewer(built: list[dict[str, bytes]]) -> None:
    (wheel,) = [content for name, content in built[0].items() if re.match(r"reconstruction_gallery.*\.whl", name)]
    names = set(zipfile.ZipFile(io.BytesIO(wheel)).namelist())
    static = "reconstruction_gallery/static"
    assert {
        f"{static}/index.html",
        f"{static}/vendor/model-viewer.min.js",
        f"{static}/vendor/model-viewer.LICENSE",
    } <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_source_archive_has_only_the_program(built: list[dict[str, bytes]]) -> None:
    (source,) = [content for name, content in built[0].items() if re.match(r"reconstruction_operator.*\.tar\.gz", name)]
    with tarfile.open(fileobj=io.BytesIO(source)) as archive:
        tops = {name.split("/")[1] for name in archive.getnames()}
    assert tops >= {"operator", "pyproject.toml", "README.md", "LICENSE"}
    assert not tops & {"tests", "examples", "docs", "charts", "devcluster"}


def test_helm_reads_the_dated_package(built: list[dict[str, bytes]], tmp_path: Path) -> None:
    (chart,) = [content for name, content in built[0].items() if name.endswith(".tgz")]
    package = tmp_path / "chart.tgz"
    package.write_bytes(chart)
    assert "name: reconstruction-operator\n" in helm("show", "chart", package).stdout
    with tarfile.open(package) as archive:
        assert {entry.mtime for entry in archive} == {EPOCH}
        assert archive.getnames()[0] == "reconstruction-operator/Chart.yaml"
