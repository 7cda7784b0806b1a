"""What the project depends on: pinned with hashes, without addresses, and each with its reason."""

import re
from pathlib import Path

import pytest

from tests.support.paths import CHECKOUT

LOCKS = sorted((CHECKOUT / "requirements").glob("*.txt"))


def pins(lock: Path) -> list[str]:
    """Logical lines: a pin with its hashes."""
    return [line for line in lock.read_text().replace("\\\n", " ").splitlines() if line.strip()]


def names(lock: Path) -> set[str]:
    return {line.split("==")[0] for line in pins(lock)}


def dependency_lines() -> list[tuple[str, str]]:
    """(line before, line) of each dependency in pyproject.toml."""
    lines = (CHECKOUT / "pyproject.toml").read_text().split("\n[project.scripts]")[0].splitlines()
    before = ["", *lines[:-1]]
    return [(above, line) for above, line in zip(before, lines, strict=True) if re.match(r'    "[a-z][^"]*",', line)]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_pin_is_exact_and_has_hashes(lock: Path) -> None:
    unpinned = [line for line in pins(lock) if not re.match(r"[a-z0-9-]+==\S+( ; [^-]+)?\s+--hash=sha256:\w{64}", line)]
    assert unpinned == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_lock_file_names_an_address(lock: Path) -> None:
    assert [line for line in lock.read_text().splitlines() if "://" in line or line.startswith("-")] == []


def test_the_images_hold_a_part_of_what_is_tested() -> None:
    tested = set(pins(CHECKOUT / "requirements/dev.txt"))
    shipped = {line for lock in LOCKS if lock.name != "dev.txt" for line in pins(lock)}
    assert len(shipped) > 60
    assert {line.split(" ;")[0].split()[0] for line in shipped} <= {line.split(" ;")[0].split()[0] for line in tested}


def test_the_operator_holds_no_photogrammetry() -> None:
    assert names(CHECKOUT / "requirements/operator.txt").isdisjoint(
        {"pycolmap", "opencv-python-headless", "numpy", "scipy", "trimesh", "embreex", "xatlas", "pillow"}
    )


@pytest.mark.parametrize("lock", ["worker-base.txt", "worker.txt"])
def test_the_worker_holds_nothing_of_kubernetes(lock: str) -> None:
    assert names(CHECKOUT / "requirements" / lock).isdisjoint({"kopf", "kubernetes", "aiohttp"})


def test_a_worker_with_photogrammetry_has_all_that_one_without_has() -> None:
    base, whole = (set(pins(CHECKOUT / "requirements" / name)) for name in ("worker-base.txt", "worker.txt"))
    assert base < whole


def test_every_dependency_says_what_it_is_for() -> None:
    lines = [(above, line) for above, line in dependency_lines() if "reconstruction-operator[" not in line]
    assert len(lines) > 20
    assert [line for above, line in lines if "#" not in line and not above.strip().startswith("#")] == []
