"""Version check: all files have the program's version, and the changelog has a section for a release."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from scripts.paths import CHART

_NUMBER: Final = r"(\d+\.\d+\.\d+)"
# File -> pattern of the program's version in it.
_PLACES: Final = {
    f"{CHART}/Chart.yaml": rf"reconstruction-\w+:{_NUMBER}",
    "Dockerfile": rf"(?:^ARG VERSION=|reconstruction-\w+:){_NUMBER}",
    "compose.yaml": rf"reconstruction-worker:{_NUMBER}",
    "dashboards/headlamp/artifacthub-pkg.yml": rf"(?:^version: |/v|-){_NUMBER}",
    "dashboards/headlamp/package.json": rf'^  "version": "{_NUMBER}"',
    "devcluster/node/images.py": rf'^VERSION = "{_NUMBER}"',
    "gallery/pyproject.toml": rf'(?:^version = "|(?:reconstruction-operator|kubectl-recon)==){_NUMBER}"',
    "docs/install.md": rf"reconstruction-[a-z-]+:{_NUMBER}",
    "plugin/kubectl_recon/__init__.py": rf'__version__: Final = "{_NUMBER}"',
    "plugin/pyproject.toml": rf'(?:^version = "|reconstruction-operator==){_NUMBER}"',
}
_SECTION: Final = re.compile(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$", re.MULTILINE)
UNRELEASED: Final = "Unreleased"


def program_version(checkout: Path) -> str:
    """Return the version of operator and workers."""
    version: str = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["version"]
    return version


def chart_versions(checkout: Path) -> tuple[str, str]:
    """Return the chart's version, and the version of the program that it installs."""
    chart = yaml.safe_load((checkout / CHART / "Chart.yaml").read_text())
    return chart["version"], str(chart["appVersion"])


def problems(checkout: Path) -> list[str]:
    """Return the places whose version differs from that of pyproject.toml."""
    program = program_version(checkout)
    _, installed = chart_versions(checkout)
    results = [
        f"{name} has {number}, but pyproject.toml has {program}"
        for name, number in _named(checkout)
        if number != program
    ]
    if installed != program:
        results.append(f"Chart.yaml: appVersion is {installed}, but pyproject.toml has {program}")
    return results


def unreleasable(checkout: Path) -> list[str]:
    """Return what the changelog lacks for a release of the version in pyproject.toml."""
    program = program_version(checkout)
    text = (checkout / "CHANGELOG.md").read_text()
    sections = _SECTION.findall(text)
    dated = {name: date for name, date in sections if name != UNRELEASED}
    if program not in dated:
        return [f"CHANGELOG.md has no section [{program}]: give the lines of [{UNRELEASED}] this number and a date"]
    if not dated[program]:
        return [f"CHANGELOG.md: the section [{program}] needs a date: ## [{program}] - YYYY-MM-DD"]
    if next(name for name, _ in sections if name != UNRELEASED) != program:
        return [f"CHANGELOG.md: the newest section is not [{program}]"]
    return []


def _named(checkout: Path) -> Iterator[tuple[str, str]]:
    for name, pattern in _PLACES.items():
        numbers = re.findall(pattern, (checkout / name).read_text(), re.MULTILINE)
        if not numbers:
            yield name, "no version"
        yield from ((name, number) for number in numbers)
