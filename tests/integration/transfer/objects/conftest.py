from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from reconstruction_operator.transfer.limits import Limits


@pytest.fixture
def limits(limits: Limits) -> Limits:
    return replace(limits, schemes=("s3",))


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """The folder of photos in a workspace."""
    folder = tmp_path / "workspace" / "input"
    folder.mkdir(parents=True)
    return folder
