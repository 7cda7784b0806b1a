from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from reconstruction_operator.transfer.limits import Limits

from tests.support.servers.https import Server, running_https


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """The folder of photos in a workspace."""
    folder = tmp_path / "workspace" / "input"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def limits(tmp_path: Path) -> Limits:
    """Small limits: 1 MB, 20 files, 40,000 pixels, 400 px a side."""
    for name in ("photos", "jobs"):
        (tmp_path / name).mkdir()
    return replace(
        Limits.from_config(),
        roots=(tmp_path / "photos",),
        jobs_dir=tmp_path / "jobs",
        https_hosts=("localhost",),
        max_bytes=1_000_000,
        max_files=20,
        max_pixels=40_000,
        max_side=400,
        timeout_seconds=10.0,
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_https(tmp_path) as running:
        yield running
