from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROUGH_MODELS = Path(__file__).parents[2] / "data" / "models"


@pytest.fixture
def rough_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Models that misbehave, found as another package's would be. Gives the folder where they leave their pids."""
    monkeypatch.setattr(sys, "path", [str(ROUGH_MODELS), *sys.path])
    monkeypatch.setenv("PYTHONPATH", str(ROUGH_MODELS))
    pids = tmp_path / "pids"
    pids.mkdir()
    monkeypatch.setenv("ROUGH_MODELS_PIDS", str(pids))
    return pids
