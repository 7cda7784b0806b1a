"""A system that counts the runs of a model, for tests of results that outlive their jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcluster.harness.system import QUICK_SETTINGS, System
from tests.support.systems import ROUGH, SharedSystems, Worker


@pytest.fixture(scope="session")
def runs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds a file for each run of the model."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def system_that_counts_runs(start_system: SharedSystems, photos_root: Path, runs_folder: Path) -> System:
    """A system with a worker whose model puts a file into that folder when it begins."""
    return start_counting(start_system, photos_root, runs_folder)


def start_counting(start_system: SharedSystems, photos_root: Path, runs_folder: Path, **more: str) -> System:
    """Start such a system, with more settings."""
    settings = dict(ROUGH.settings) | {"ROUGH_MODELS_PIDS": str(runs_folder)}
    worker = Worker(ROUGH.name, settings=settings, concurrency=2)
    return start_system(worker, INPUT_ROOTS=f"{QUICK_SETTINGS['INPUT_ROOTS']},{photos_root}", **more)
