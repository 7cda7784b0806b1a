"""The version check rejects versions that disagree, and a release without a section in the changelog."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.checks import versions
from tests.support.paths import CHECKOUT

PROGRAM = versions.program_version(CHECKOUT)
CHART_FILE = "charts/reconstruction-operator/Chart.yaml"
FILES = (
    *("pyproject.toml", CHART_FILE, "CHANGELOG.md", "Dockerfile", "compose.yaml", "docs/images.md"),
    *("devcluster/node/images.py", "tests/data/charts/reconstruction-operator-0.1.0.tgz"),
    *("plugin/pyproject.toml", "plugin/kubectl_recon/__init__.py", "gallery/pyproject.toml"),
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the files that name versions."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, tmp_path / name)
    return tmp_path


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_the_versions_of_this_checkout_agree(checkout: Path) -> None:
    assert versions.problems(checkout) == []


@pytest.mark.parametrize(
    ("name", "old"),
    [
        ("Dockerfile", f"ARG VERSION={PROGRAM}"),
        ("compose.yaml", f"reconstruction-worker:{PROGRAM}"),
        ("devcluster/node/images.py", f'VERSION = "{PROGRAM}"'),
        ("docs/images.md", f"reconstruction-worker-base:{PROGRAM}"),
        ("plugin/pyproject.toml", f'version = "{PROGRAM}"'),
        ("gallery/pyproject.toml", f'version = "{PROGRAM}"'),
        ("plugin/kubectl_recon/__init__.py", f'__version__: Final = "{PROGRAM}"'),
    ],
)
def test_a_file_with_another_version_is_named(checkout: Path, name: str, old: str) -> None:
    edit(checkout / name, old, old.replace(PROGRAM, "9.9.9"))
    assert versions.problems(checkout) == [f"{name} has 9.9.9, but pyproject.toml has {PROGRAM}"]


def test_a_file_without_a_version_is_named(checkout: Path) -> None:
    edit(checkout / "compose.yaml", f"reconstruction-worker:{PROGRAM}", "reconstruction-worker:latest")
    assert versions.problems(checkout) == [f"compose.yaml has no version, but pyproject.toml has {PROGRAM}"]


def test_a_chart_for_another_program_is_refused(checkout: Path) -> None:
    edit(checkout / CHART_FILE, f"appVersion: {PROGRAM}", "appVersion: 9.9.9")
    assert versions.problems(checkout) == [f"Chart.yaml: appVersion is 9.9.9, but pyproject.toml has {PROGRAM}"]


def test_a_chart_version_that_was_released_is_refused(checkout: Path) -> None:
    package = checkout / "tests/data/charts/reconstruction-operator-0.1.0.tgz"
    package.rename(package.with_name("reconstruction-operator-0.10.0.tgz"))
    assert versions.problems(checkout) == ["Chart.yaml: version 0.2.0 is not newer than the last release, 0.10.0"]


@pytest.mark.parametrize(
    ("sections", "problems"),
    [
        pytest.param(
            "## [Unreleased]\n",
            [f"CHANGELOG.md has no section [{PROGRAM}]: give the lines of [Unreleased] this number and a date"],
            id="unreleased",
        ),
        pytest.param(
            f"## [{PROGRAM}]\n",
            [f"CHANGELOG.md: the section [{PROGRAM}] needs a date: ## [{PROGRAM}] - YYYY-MM-DD"],
            id="no date",
        ),
        pytest.param(
            f"## [9.9.9] - 2026-11-26\n## [{PROGRAM}] - 2026-11-25\n",
            [f"CHANGELOG.md: the newest section is not [{PROGRAM}]"],
            id="older",
        ),
        pytest.param(f"## [Unreleased]\n## [{PROGRAM}] - 2026-11-26\n", [], id="released"),
    ],
)
def test_a_release_needs_a_dated_newest_section(tmp_path: Path, sections: str, problems: list[str]) -> None:
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{sections}")
    assert versions.unreleasable(tmp_path) == problems
