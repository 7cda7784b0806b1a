"""Fixtures for attempts on fakeredis, and for deletions."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from tests.support.settings import configure
from tests.support.worker.attempts import want
from tests.support.worker.deletions import delete_in_this_process


@pytest.fixture
def wanted(client: redis.Redis, jobs_dir: Path) -> None:
    """A job whose first attempt is wanted."""
    want(client, 1)


@pytest.fixture
def meshes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The allowed folder for delivered results."""
    folder = tmp_path / "meshes"
    folder.mkdir()
    configure(monkeypatch, OUTPUT_ROOTS=(str(folder),))
    return folder


@pytest.fixture
def deletes_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies are deleted in this process."""
    delete_in_this_process(monkeypatch)
