"""Fixtures of attempts on fakeredis."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from tests.support.attempts import want
from tests.support.settings import configure


@pytest.fixture
def wanted(client: redis.Redis, jobs_dir: Path) -> None:
    """A job whose first attempt is wanted."""
    want(client, 1)


@pytest.fixture
def meshes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that results may be delivered to."""
    folder = tmp_path / "meshes"
    folder.mkdir()
    configure(monkeypatch, OUTPUT_ROOTS=(str(folder),))
    return folder
