"""Fixtures of attempts on fakeredis."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from tests.support.attempts import want
from tests.support.settings import configure


@pytest.fixture
def wanted(client: redis.Redis, jobs_dir: Path) -> None:
    want(client, 1)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    configure(monkeypatch, INPUT_ROOTS=(str(folder),))
    return folder


@pytest.fixture
def meshes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "meshes"
    folder.mkdir()
    configure(monkeypatch, OUTPUT_ROOTS=(str(folder),))
    return folder
