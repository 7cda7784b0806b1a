"""Vendored files check: changed scripts and pins are found."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.checks import vendored
from scripts.paths import CHECKOUT

SCRIPT = "gallery/reconstruction_gallery/static/vendor/model-viewer.min.js"
LOCK = "gallery/viewer/package-lock.json"
PROGRAMS = "devcluster/programs/npm"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(CHECKOUT / "gallery" / "viewer", tmp_path / "gallery" / "viewer")
    for line in (CHECKOUT / "gallery" / "viewer" / "SHA256SUMS").read_text().splitlines():
        name = line.split()[1]
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CHECKOUT / name, tmp_path / name)
    shutil.copytree(CHECKOUT / PROGRAMS, tmp_path / PROGRAMS)
    return tmp_path


def edited(path: Path, package: str, change: Callable[[dict[str, str]], object]) -> None:
    content = json.loads(path.read_text())
    change(content["packages"][f"node_modules/{package}"])
    path.write_text(json.dumps(content))


def test_the_checkouts_own_scripts_are_the_recorded_ones(checkout: Path) -> None:
    assert vendored.problems(checkout) == []


def test_a_script_that_was_edited_is_found(checkout: Path) -> None:
    (checkout / SCRIPT).write_text("alert(1)")

    assert vendored.problems(checkout) == [f"{SCRIPT} differs from gallery/viewer/SHA256SUMS: run `make viewer`"]


def test_a_lock_of_another_version_or_without_a_digest_is_found(checkout: Path) -> None:
    edited(checkout / LOCK, "@google/model-viewer", lambda one: one.update(version="1.0.0", integrity=""))

    assert [problem.split(" of ")[0] for problem in vendored.problems(checkout)] == [
        "gallery/viewer: package-lock.json has @google/model-viewer 1.0.0, but package.json has 4.4.0",
        "gallery/viewer: package-lock.json has no SHA-512",
    ]


def test_a_package_that_only_another_one_needs_is_pinned_too(checkout: Path) -> None:
    lock = checkout / PROGRAMS / "azurite" / "package-lock.json"
    edited(lock, "express", lambda one: one.update(integrity="sha1-x", resolved="registry.example.com/express"))

    assert vendored.problems(checkout) == [
        f"{PROGRAMS}/azurite: package-lock.json has no SHA-512 of express",
        f"{PROGRAMS}/azurite: package-lock.json has an address of express",
    ]
