from __future__ import annotations

import pytest
from reconstruction_operator.models.photogrammetry import progress


@pytest.fixture(autouse=True)
def _quick_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports that are due every second come every 20 ms."""
    monkeypatch.setattr(progress, "BEAT_SECONDS", 0.02)
